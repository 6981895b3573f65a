//! The tests of this package hold the product against its promise "same events, same bill; same log, same bytes". It has no
//! code of its own.

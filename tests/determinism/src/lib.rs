//! The tests of this package check the product's promise "same events, same bill; same log, same bytes". It has no
//! code of its own.

//! The integration tests of this crate, one program.

mod http;
mod sdl;
mod tenancy;

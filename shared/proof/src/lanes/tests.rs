use super::*;
use crate::hash::sha256d;

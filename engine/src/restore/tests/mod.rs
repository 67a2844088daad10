//! Restores of generations that a backup or the kit made, compared with what they were made from.
//!
//! Owners and devices need root; run as another user, those tests fail rather than pass without having tested anything.

mod damage;
mod deaths;
mod ends;
mod existing;
mod kinds;
mod kit;
mod power;
mod reuse;
mod stops;

//! Versions of connectors that come and go on a running host: records, files and the engine's pointer agree, whatever happens in between.

mod dying;
mod gating;
mod host;
mod installing;
mod leaving;
mod swapping;
mod trying;

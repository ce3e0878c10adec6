//! One binary for all integration tests: each links everything, so one link has to do.

mod source_real;

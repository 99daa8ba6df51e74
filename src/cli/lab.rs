//! `loadr lab`

use std::process::ExitCode;

use crate::{judge, lab::LabOptions};

pub(super) fn run(options: LabOptions) -> ExitCode {
    let address = options.bind_addr();
    match crate::lab::run_blocking(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(&format!("error: failed to serve on {address}: {error}"));
            super::code(judge::ExitCode::NotStarted)
        }
    }
}

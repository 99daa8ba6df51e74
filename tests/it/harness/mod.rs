//! What the tests share: the program, a lab to send to, and ways to read what was reported.

mod browser;
mod dead;
mod figures;
mod lab;
mod nginx;
mod program;
pub mod schema;
mod settle;
mod system;
mod turn;
mod wait;

pub use browser::Browser;
pub use dead::dead_addr;
pub use figures::Figures;
pub use lab::{LabChild, TestLab};
pub use nginx::Nginx;
pub use program::{Ended, PROGRAM, Program, Running};
pub use settle::{Checks, settle};
pub use system::System;
pub use wait::until;

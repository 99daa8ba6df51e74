//! The files a report is written to. They are created before anything is sent: what can fail at the end is tried
//! at the start.

use std::{fs::File, io::Write, path::PathBuf};

use crate::{
    report::{Form, Summary, Template},
    script::Redactor,
};

/// A file, and the form of the report in it.
#[derive(Debug, Clone)]
pub struct Output {
    /// The form.
    pub form: &'static Form,
    /// Where it goes.
    pub path: PathBuf,
}

/// Outputs that are open.
#[derive(Debug)]
pub struct Outputs(Vec<(Output, File)>);

impl Outputs {
    /// Creates every file.
    ///
    /// # Errors
    /// A text for the user: two of them are one file, or one cannot be created.
    pub fn create(outputs: &[Output]) -> Result<Self, String> {
        let mut open = Vec::with_capacity(outputs.len());
        for (at, output) in outputs.iter().enumerate() {
            if let Some(other) = outputs[..at].iter().find(|other| other.path == output.path) {
                let (path, one, two) = (output.path.display(), other.form.name, output.form.name);
                return Err(format!("{path} cannot hold both {one} and {two}\nhelp: give each a file of its own"));
            }
            let file = File::create(&output.path).map_err(|error| {
                format!("failed to create {}: {error}\nhelp: nothing was sent", output.path.display())
            })?;
            open.push((output.clone(), file));
        }
        Ok(Self(open))
    }

    /// Writes each report. One that fails does not keep the others from being written.
    ///
    /// # Errors
    /// A text for the user about the first that failed.
    pub fn write(self, summary: &Summary, redactor: &Redactor) -> Result<(), String> {
        let mut failed = None;
        for (output, mut file) in self.0 {
            let text = (output.form.render)(summary);
            let text = redactor.redact(&text);
            let newline: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
            let written = file.write_all(text.as_bytes()).and_then(|()| file.write_all(newline));
            // What has no way to be synced (a pipe, /dev/stdout) has got it all the same.
            let written = written.and_then(|()| match file.metadata() {
                Ok(about) if about.is_file() => file.sync_all(),
                _ => Ok(()),
            });
            if let Err(error) = written {
                failed.get_or_insert(format!("failed to write {}: {error}", output.path.display()));
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Reads a template, before anything is sent.
///
/// # Errors
/// A text for the user: it cannot be read, or is no template.
pub fn read_template(path: &std::path::Path) -> Result<Template, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read {}: {error}", path.display()))?;
    Template::parse(&path.display().to_string(), text)
}

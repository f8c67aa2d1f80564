//! The files that commands read and write, and what is said of them when they fail.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::io::files::{self, Lines};

use super::Exit;

/// Opens logs as one.
pub fn open(inputs: &[PathBuf]) -> Result<Lines, Exit> {
    Lines::of(inputs).map_err(|(path, error)| {
        Exit::Usage(format!("the input {} cannot be opened: {error}", path.display()))
    })
}

/// Says which inputs could not be read to their ends, and where they broke off.
pub fn report_broken(lines: &Lines) -> Result<(), Exit> {
    for broken in lines.broken() {
        eprintln!(
            "error: {} cannot be read to its end: {}; {} lines of it were done",
            broken.path.display(),
            broken.error,
            broken.lines
        );
    }
    if lines.broken().is_empty() { Ok(()) } else { Err(Exit::Input) }
}

/// Makes an output; `-` is standard output.
pub fn create(path: &Path) -> Result<Box<dyn Write + Send>, Exit> {
    if files::is_stdin(path) {
        return Ok(Box::new(io::stdout()));
    }
    let file = File::create(path).map_err(|error| {
        Exit::Unavailable(format!("the output {} cannot be made: {error}", path.display()))
    })?;
    Ok(Box::new(file))
}

/// An output that is an input, the configuration or another output would be destroyed.
pub fn refuse_to_overwrite(
    outputs: &[&PathBuf],
    inputs: &[PathBuf],
    config: &PathBuf,
) -> Result<(), Exit> {
    for (at, output) in outputs.iter().enumerate() {
        // As an input, `-` is another stream than as an output.
        let inputs = inputs.iter().filter(|path| !files::is_stdin(path));
        let others = inputs.chain([config]);
        for other in others.chain(outputs[..at].iter().copied()) {
            let both = (output.canonicalize(), other.canonicalize());
            let same = match both {
                (Ok(a), Ok(b)) => a == b && a.is_file(),
                _ => output == &other && outputs.contains(&other),
            };
            if same {
                let path = output.display();
                return Err(Exit::Usage(format!("{path} is named twice: it would be overwritten")));
            }
        }
    }
    Ok(())
}

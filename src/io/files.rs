//! Files, plain or compressed, and standard input as one log of lines. Knows no event.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A longer line is cut: it is far beyond the largest event in the longest envelope, and a file of
/// garbage without a line end must not fill the memory.
pub const LINE_BYTES_MAX: usize = 16 << 20;
const BUFFER_BYTES: usize = 1 << 18;

/// Several inputs, one after the other, as one log.
#[derive(Debug)]
pub struct Lines {
    inputs: VecDeque<PathBuf>,
    open: Option<Input>,
    next_number: u64,
    read_bytes: Arc<AtomicU64>,
    broken: Vec<Broken>,
}

/// An input that could not be read to its end.
#[derive(Debug)]
pub struct Broken {
    /// Which one.
    pub path: PathBuf,
    /// How many of its lines were read, the last perhaps not to its end.
    pub lines: u64,
    /// What happened.
    pub error: io::Error,
}

type Reader = BufReader<Box<dyn Read + Send>>;

struct Input {
    path: PathBuf,
    lines: u64,
    reader: Reader,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Enough lines for the waits for memory to overlap, few enough to stay in the cache.
const BATCH_LINES: usize = 32;
const BATCH_BYTES: usize = 1 << 20;

/// A few lines in a row.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Their numbers in the log, and where they end.
    lines: Vec<(u64, usize)>,
}

impl Batch {
    /// Each line with its number, without its end.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut begin = 0;
        self.lines.iter().map(move |(number, end)| {
            let line = &self.bytes[begin..*end];
            begin = *end;
            (*number, line)
        })
    }

    /// One line more, which stands without its end and has this number in the log.
    pub fn push(&mut self, number: u64, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.lines.push((number, self.bytes.len()));
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Lines {
    /// A log of these files, of which `-` is standard input.
    ///
    /// # Errors
    /// One of them cannot be opened; which one stands first.
    pub fn of(inputs: &[PathBuf]) -> Result<Lines, (PathBuf, io::Error)> {
        for path in inputs.iter().filter(|path| !is_stdin(path)) {
            let file = File::open(path).and_then(|file| file.metadata());
            match file {
                Ok(metadata) if metadata.is_dir() => {
                    return Err((path.clone(), io::ErrorKind::IsADirectory.into()));
                }
                Ok(_) => {}
                Err(error) => return Err((path.clone(), error)),
            }
        }
        Ok(Lines {
            inputs: inputs.iter().cloned().collect(),
            open: None,
            next_number: 0,
            read_bytes: Arc::default(),
            broken: Vec::new(),
        })
    }

    /// Reads the next line behind what `line` holds, without its end. Returns its number in the
    /// log, from 0; `None` after the last.
    pub fn next(&mut self, line: &mut Vec<u8>) -> Option<u64> {
        let before = line.len();
        loop {
            if self.open.is_none() {
                let path = self.inputs.pop_front()?;
                match open(&path, &self.read_bytes) {
                    Ok(reader) => self.open = Some(Input { path, lines: 0, reader }),
                    Err(error) => self.broken.push(Broken { path, lines: 0, error }),
                }
                continue;
            }
            let input = self.open.as_mut()?;
            let read = read_line(&mut input.reader, line);
            let something = line.len() > before || matches!(read, Ok(true));
            input.lines += u64::from(something);
            match read {
                Ok(true) => {}
                Ok(false) => self.open = None,
                Err(error) => {
                    let (path, lines) = (input.path.clone(), input.lines);
                    self.broken.push(Broken { path, lines, error });
                    self.open = None;
                }
            }
            if something {
                self.next_number += 1;
                return Some(self.next_number - 1);
            }
        }
    }

    /// Reads the next few lines; none after the last.
    pub fn fill(&mut self, batch: &mut Batch) {
        batch.bytes.clear();
        batch.lines.clear();
        while batch.lines.len() < BATCH_LINES && batch.bytes.len() < BATCH_BYTES {
            self.take_whole(batch);
            if batch.lines.len() < BATCH_LINES {
                let Some(number) = self.next(&mut batch.bytes) else { return };
                batch.lines.push((number, batch.bytes.len()));
            }
        }
    }

    /// Takes those of the next few lines that stand whole in what has been read already.
    fn take_whole(&mut self, batch: &mut Batch) {
        let Some(input) = &mut self.open else { return };
        let (read, before) = (input.reader.buffer(), batch.lines.len());
        let mut used = 0;
        for end in memchr::memchr_iter(b'\n', read).take(BATCH_LINES - before) {
            batch.push(self.next_number, &read[used..end]);
            self.next_number += 1;
            used = end + 1;
        }
        input.reader.consume(used);
        input.lines += (batch.lines.len() - before) as u64;
    }

    /// The inputs that could not be read to their ends, so far.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// Bytes read so far, as they stand in the files.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }
}

/// The sizes of the inputs together, in bytes; `None` with standard input or a pipe among them.
pub fn total_bytes(inputs: &[PathBuf]) -> Option<u64> {
    let size = |path: &PathBuf| match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && !is_stdin(path) => Some(metadata.len()),
        _ => None,
    };
    inputs.iter().map(size).sum()
}

/// Is it `-`?
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads behind `line` up to a line end and drops that; past [`LINE_BYTES_MAX`] bytes are dropped too. Returns
/// whether there was a line end; without one, that was the end of the input.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    let begins = line.len();
    loop {
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(false);
        }
        let end = memchr::memchr(b'\n', available);
        let taken = &available[..end.unwrap_or(available.len())];
        let room = LINE_BYTES_MAX - (line.len() - begins);
        line.extend_from_slice(&taken[..taken.len().min(room)]);
        let used = taken.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn open(path: &Path, read_bytes: &Arc<AtomicU64>) -> io::Result<Reader> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let inner: Box<dyn Read + Send> = match ending {
        _ if is_stdin(path) => Box::new(io::stdin()),
        _ => Box::new(File::open(path)?),
    };
    let counted = Counted { inner, read_bytes: read_bytes.clone() };
    let buffered = |counted| BufReader::with_capacity(BUFFER_BYTES, counted);
    let text: Box<dyn Read + Send> = match ending {
        Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(counted))),
        Some("zst") => {
            let mut decoder = zstd::Decoder::with_buffer(buffered(counted))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        _ => Box::new(counted),
    };
    Ok(BufReader::with_capacity(BUFFER_BYTES, text))
}

/// `zstd --long=31` is read too.
const ZSTD_WINDOW_LOG_MAX: u32 = 31;

/// Counts the bytes that go through.
struct Counted<R> {
    inner: R,
    read_bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read_bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Read one by one; in batches they are the same.
    fn all(paths: &[PathBuf]) -> (Vec<(u64, Vec<u8>)>, Vec<Broken>) {
        let mut lines = Lines::of(paths).unwrap();
        let (mut line, mut read) = (Vec::new(), Vec::new());
        while let Some(number) = lines.next(&mut line) {
            read.push((number, std::mem::take(&mut line)));
        }
        let mut again = Lines::of(paths).unwrap();
        let (mut batch, mut in_batches) = (Batch::default(), Vec::new());
        loop {
            again.fill(&mut batch);
            assert!(batch.len() <= BATCH_LINES);
            if batch.is_empty() {
                break;
            }
            in_batches.extend(batch.iter().map(|(number, line)| (number, line.to_vec())));
        }
        assert!(in_batches == read);
        assert_eq!(format!("{:?}", again.broken), format!("{:?}", lines.broken));
        assert_eq!(again.read_bytes(), lines.read_bytes());
        (read, lines.broken)
    }

    fn numbered(lines: &[&str]) -> Vec<(u64, Vec<u8>)> {
        let bytes = lines.iter().map(|line| line.as_bytes().to_vec());
        bytes.enumerate().map(|(at, line)| (at as u64, line)).collect()
    }

    #[test]
    fn many_files_are_one_log() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("a.jsonl");
        let empty = folder.path().join("b.jsonl");
        let gz = folder.path().join("c.jsonl.gz");
        let zst = folder.path().join("d.jsonl.zst");
        std::fs::write(&plain, "one\n\ntwo").unwrap();
        std::fs::write(&empty, "").unwrap();
        let mut out = Vec::new();
        for part in ["three\n", "four\r\n"] {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::fast());
            encoder.write_all(part.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }
        std::fs::write(&gz, &out).unwrap();
        std::fs::write(&zst, zstd::encode_all(&b"five\nsix\n"[..], 1).unwrap()).unwrap();
        let (read, broken) = all(&[plain, empty, gz, zst]);
        assert_eq!(read, numbered(&["one", "", "two", "three", "four\r", "five", "six"]));
        assert!(broken.is_empty());
    }

    #[test]
    fn lines_may_be_as_long_as_a_few_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let block = BUFFER_BYTES as u64;
        let lengths = [0, 5, block - 7, 0, 3, block, 1, 3 * block, block - 1, 7, 7, 7, 0];
        let due: Vec<_> = (0..1000).flat_map(|_| [312, 0, 311]).chain(lengths).collect();
        let path = folder.path().join("a.jsonl");
        let text: Vec<String> = due.iter().map(|length| "x".repeat(*length as usize)).collect();
        std::fs::write(&path, text.join("\n")).unwrap();
        let (read, broken) = all(&[path.clone(), path]);
        assert!(broken.is_empty());
        // The last line is empty and has no end: it is none.
        let due = &due[..due.len() - 1];
        assert!(read.iter().map(|(_, line)| line.len() as u64).eq([due, due].concat()));
    }

    #[test]
    fn a_frame_that_ends_in_the_middle_is_read_up_to_there() {
        let folder = tempfile::tempdir().unwrap();
        let text: Vec<u8> =
            (0..200_000u64).flat_map(|n| format!("{}\n", n * n).into_bytes()).collect();
        let after = folder.path().join("after.jsonl");
        std::fs::write(&after, "after\n").unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&text).unwrap();
        for (name, whole) in
            [("cut.gz", gz.finish().unwrap()), ("cut.zst", zstd::encode_all(&text[..], 1).unwrap())]
        {
            let path = folder.path().join(name);
            std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
            let (read, broken) = all(&[path.clone(), after.clone()]);
            assert_eq!(broken.len(), 1, "{name}");
            assert_eq!(broken[0].path, path);
            assert!(read.len() > 1000 && broken[0].lines == read.len() as u64 - 1, "{name}");
            assert_eq!(read.last().unwrap().1, b"after");
            let joined: Vec<u8> =
                read[..read.len() - 1].iter().flat_map(|(_, l)| [&l[..], b"\n"].concat()).collect();
            assert!(text.starts_with(&joined[..joined.len() - 1]), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Lines::of(&[PathBuf::from("/no/such/file")]).unwrap_err();
        assert_eq!(error.0, PathBuf::from("/no/such/file"));
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let endless = io::repeat(b'x').take(LINE_BYTES_MAX as u64 + 100).chain(&b"\nnext\n"[..]);
        let mut reader = BufReader::new(endless);
        let mut line = Vec::new();
        assert!(read_line(&mut reader, &mut line).unwrap());
        assert_eq!(line.len(), LINE_BYTES_MAX);
        line.clear();
        assert!(read_line(&mut reader, &mut line).unwrap());
        assert_eq!(line, b"next");
    }
}

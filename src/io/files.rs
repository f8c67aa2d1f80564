//! Files, plain or compressed, and standard input as one log of lines. Knows no event.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Read},
    mem,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A longer line is cut: it is far beyond the largest event in the longest envelope, and a file of
/// garbage without a line end must not fill the memory.
pub const LINE_BYTES_MAX: usize = 16 << 20;
/// So many bytes are read at a time: few enough that they, and what is made of them, are still in the
/// cache when they are looked at, and that the next ones go where these were.
const BLOCK_BYTES: usize = 1 << 16;

/// Several inputs, one after the other, as one log.
#[derive(Debug)]
pub struct Lines {
    inputs: VecDeque<PathBuf>,
    open: Option<Input>,
    next_number: u64,
    /// What has been read of the line that comes next.
    rest: Vec<u8>,
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

type Reader = Box<dyn Read + Send>;

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

/// Some lines in a row.
#[derive(Debug, Default)]
pub struct Batch {
    /// They, with what lies between them and behind.
    bytes: Vec<u8>,
    /// Their numbers in the log, and where they are.
    lines: Vec<(u64, Range<usize>)>,
}

impl Batch {
    /// Each line with its number, without its end; so many at a time.
    pub fn few(
        &self,
        count: usize,
    ) -> impl Iterator<Item = impl ExactSizeIterator<Item = (u64, &[u8])>> {
        let line = |(number, place): &(u64, Range<usize>)| (*number, &self.bytes[place.clone()]);
        self.lines.chunks(count).map(move |few| few.iter().map(line))
    }

    /// Each line with its number, without its end.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.few(usize::MAX).flatten()
    }

    /// One line more, which stands without its end and has this number in the log.
    pub fn push(&mut self, number: u64, line: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(line);
        self.lines.push((number, begin..self.bytes.len()));
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
            rest: Vec::new(),
            read_bytes: Arc::default(),
            broken: Vec::new(),
        })
    }

    /// Reads the next lines: those that one block has; none after the last. What has been read stands
    /// where it was read to.
    pub fn fill(&mut self, batch: &mut Batch) {
        batch.lines.clear();
        while batch.is_empty() {
            match &mut self.open {
                Some(input) => {
                    let known = take_over(&mut self.rest, &mut batch.bytes);
                    let read = read(&mut input.reader, &mut batch.bytes[known..]);
                    self.split(batch, known, read);
                }
                None => match self.inputs.pop_front() {
                    Some(path) => self.open(path),
                    None => return,
                },
            }
        }
    }

    fn open(&mut self, path: PathBuf) {
        match open(&path, &self.read_bytes) {
            Ok(reader) => self.open = Some(Input { path, lines: 0, reader }),
            Err(error) => self.broken.push(Broken { path, lines: 0, error }),
        }
    }

    /// Finds the lines in what has been read behind so many bytes. The last one of an input may have
    /// no end.
    fn split(&mut self, batch: &mut Batch, known: usize, read: io::Result<usize>) {
        let Batch { bytes, lines } = batch;
        let read_to = known + read.as_ref().unwrap_or(&0);
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', &bytes[known..read_to]) {
            let end = known + end;
            let number = self.next_number + lines.len() as u64;
            lines.push((number, begin..end.min(begin + LINE_BYTES_MAX)));
            begin = end + 1;
        }
        let ended = !matches!(read, Ok(1..));
        if ended && begin < read_to {
            let number = self.next_number + lines.len() as u64;
            lines.push((number, begin..read_to.min(begin + LINE_BYTES_MAX)));
        } else if begin > 0 || ended {
            self.rest.extend_from_slice(&bytes[begin..read_to]);
        } else {
            // A line longer than a block: it is not copied again for each of its blocks.
            bytes.truncate(read_to.min(LINE_BYTES_MAX));
            mem::swap(bytes, &mut self.rest);
        }
        self.next_number += lines.len() as u64;
        if let Some(input) = &mut self.open {
            input.lines += lines.len() as u64;
        }
        if ended && let Some(Input { path, lines, .. }) = self.open.take() {
            self.broken.extend(read.err().map(|error| Broken { path, lines, error }));
        }
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

/// Puts what has been read of a line to the front of `bytes`, with room for a block behind it. Returns
/// how much that is.
fn take_over(rest: &mut Vec<u8>, bytes: &mut Vec<u8>) -> usize {
    let known = rest.len();
    if known > BLOCK_BYTES {
        mem::swap(rest, bytes);
    }
    if bytes.len() < known + BLOCK_BYTES {
        bytes.resize(known + BLOCK_BYTES, 0);
    }
    if known <= BLOCK_BYTES {
        bytes[..known].copy_from_slice(rest);
    }
    rest.clear();
    known
}

/// Reads what comes next, at most a block. Returns how much that is; nothing at the end.
fn read(reader: &mut Reader, room: &mut [u8]) -> io::Result<usize> {
    let most = room.len().min(BLOCK_BYTES);
    loop {
        match reader.read(&mut room[..most]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
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
    let buffered = |counted| BufReader::with_capacity(BLOCK_BYTES, counted);
    Ok(match ending {
        Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(counted))),
        Some("zst") => {
            let mut decoder = zstd::Decoder::with_buffer(buffered(counted))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        _ => Box::new(counted),
    })
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

    fn all(paths: &[PathBuf]) -> (Vec<(u64, Vec<u8>)>, Vec<Broken>) {
        let mut lines = Lines::of(paths).unwrap();
        let (mut batch, mut read) = (Batch::default(), Vec::new());
        loop {
            lines.fill(&mut batch);
            if batch.is_empty() {
                break;
            }
            read.extend(batch.iter().map(|(number, line)| (number, line.to_vec())));
        }
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
        let block = BLOCK_BYTES as u64;
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let endless = vec![b'x'; LINE_BYTES_MAX + 3 * BLOCK_BYTES + 100];
        std::fs::write(&path, [&endless[..], b"\nnext\n", &endless].concat()).unwrap();
        let (read, broken) = all(&[path]);
        assert!(broken.is_empty());
        let lengths: Vec<usize> = read.iter().map(|(_, line)| line.len()).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, 4, LINE_BYTES_MAX]);
        assert_eq!(read[1], (1, b"next".to_vec()));
    }

    #[test]
    fn lines_come_as_they_are_written() {
        // What a pipe has is not held back until a block is full.
        let (reader, mut writer) = io::pipe().unwrap();
        let mut lines = Lines::of(&[]).unwrap();
        lines.open = Some(Input { path: "-".into(), lines: 0, reader: Box::new(reader) });
        let mut batch = Batch::default();
        for (number, text) in ["one\n", "two\n"].into_iter().enumerate() {
            writer.write_all(text.as_bytes()).unwrap();
            lines.fill(&mut batch);
            let line = text.trim_end().as_bytes();
            assert!(batch.iter().eq([(number as u64, line)]));
        }
    }
}

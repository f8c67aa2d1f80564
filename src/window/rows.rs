//! The events kept for one key, in order of time and, at equal times, of the log. Rows only: what
//! is counted over them stands in [`super::series`].

use smallvec::SmallVec;

/// A row: `time << 16 | bits`, further bits, integers, values.
pub type Row = [u64];

/// Bits beside the time in the first word of a row; times are below 2^48 ms.
const INLINE_BITS: usize = 16;

/// The time of a row, in epoch ms.
#[inline]
pub fn time_ms(row: &Row) -> i64 {
    (row[0] >> INLINE_BITS) as i64
}

/// Starts a row: its time, and no bits in the words before its integers. Whatever else is in it
/// stays, and is to be written over.
#[inline]
pub fn start(row: &mut Row, integers_at: usize, time_ms: i64) {
    row[0] = (time_ms as u64) << INLINE_BITS;
    // Nearly always none, and filling none would be a call. Filling the whole row would call a
    // function that stores under a mask, and reading anything beside the row would wait for it.
    if integers_at > 1 {
        row[1..integers_at].fill(0);
    }
}

/// A bit of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bit {
    word: usize,
    mask: u64,
}

impl Bit {
    /// The bit with this number.
    #[inline]
    pub fn nth(number: usize) -> Bit {
        match number.checked_sub(INLINE_BITS) {
            None => Bit { word: 0, mask: 1 << number },
            Some(further) => Bit { word: 1 + further / 64, mask: 1 << (further % 64) },
        }
    }

    /// How many words behind the first so many bits need.
    pub fn words_beyond_first(bits: usize) -> usize {
        bits.saturating_sub(INLINE_BITS).div_ceil(64)
    }

    /// The word that it is in, and the word with it alone.
    pub fn word(self) -> (usize, u64) {
        (self.word, self.mask)
    }

    /// Has a row this bit?
    #[inline]
    pub fn is_in(self, row: &Row) -> bool {
        row[self.word] & self.mask != 0
    }

    /// Sets it.
    #[inline]
    pub fn set(self, row: &mut Row) {
        row[self.word] |= self.mask;
    }

    /// Clears it.
    pub fn clear(self, row: &mut Row) {
        row[self.word] &= !self.mask;
    }
}

/// Half a word of a row, which holds the number of a value among the owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Half {
    word: usize,
    shift: u32,
}

impl Half {
    /// The half with this number, behind so many words.
    #[inline]
    pub fn nth(words: usize, number: usize) -> Half {
        Half { word: words + number / 2, shift: 32 * (number % 2) as u32 }
    }

    /// What it holds.
    #[inline]
    pub fn of(self, row: &Row) -> u32 {
        (row[self.word] >> self.shift) as u32
    }

    /// Sets it, and clears the other half if that comes after: halves are set in their order.
    #[inline]
    pub fn set(self, row: &mut Row, value: u32) {
        let word = &mut row[self.word];
        *word = if self.shift == 0 { 0 } else { *word } | u64::from(value) << self.shift;
    }
}

/// Rows in one block, the first of which may be gone and wait to be moved over. So many words stand
/// in place, without a block of their own: a block more is a cache miss more.
#[derive(Debug, Default)]
pub struct Rows<const BESIDE: usize> {
    words: SmallVec<[u64; BESIDE]>,
    /// Words of rows that are gone.
    gone: u32,
}

/// Moving so many words costs nothing.
const FEW_WORDS: usize = 48;

impl<const BESIDE: usize> Rows<BESIDE> {
    /// Rows from a snapshot.
    pub fn from_words(words: Vec<u64>) -> Self {
        let mut words = SmallVec::from_vec(words);
        words.shrink_to_fit();
        Rows { words, gone: 0 }
    }

    /// The words of all rows.
    #[inline]
    pub fn words(&self) -> &[u64] {
        &self.words[self.gone as usize..]
    }

    /// How many there are.
    #[inline]
    pub fn len(&self, stride: usize) -> usize {
        self.words().len() / stride
    }

    /// Are there more than `few`?
    #[inline]
    pub fn more_than(&self, few: usize, stride: usize) -> bool {
        self.words().len() > few * stride
    }

    /// The row that begins at this word.
    #[inline]
    pub fn row(&self, stride: usize, at: usize) -> &Row {
        &self.words()[at..][..stride]
    }

    /// The row that begins at this word.
    pub fn row_mut(&mut self, stride: usize, at: usize) -> &mut Row {
        &mut self.words[self.gone as usize + at..][..stride]
    }

    /// The word at which the row of this time and place in the log begins.
    pub fn find(&self, stride: usize, time: i64, identity: Half, place: u32) -> Option<usize> {
        let mut end = self.not_after(stride, time);
        while let Some(at) = end.checked_sub(stride)
            && self.time_ms(at) == time
        {
            if identity.of(self.row(stride, at)) == place {
                return Some(at);
            }
            end = at;
        }
        None
    }

    /// The time of the row that begins at this word, in epoch ms.
    #[inline]
    pub fn time_ms(&self, at: usize) -> i64 {
        time_ms(&self.words()[at..])
    }

    /// The time of the oldest row, in epoch ms.
    #[inline]
    pub fn oldest_ms(&self) -> Option<i64> {
        let words = self.words();
        (!words.is_empty()).then(|| time_ms(words))
    }

    /// The time of the newest row, in epoch ms.
    #[inline]
    pub fn newest_ms(&self, stride: usize) -> Option<i64> {
        let words = self.words();
        Some(time_ms(&words[words.len().checked_sub(stride)?..]))
    }

    /// How many words the rows take that are not after this time.
    pub fn not_after(&self, stride: usize, time: i64) -> usize {
        let (mut low, mut high) = (0, self.len(stride));
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.time_ms(middle * stride) <= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low * stride
    }

    /// Puts a row behind those of its time or before; returns the word at which it begins.
    #[inline]
    pub fn insert(&mut self, row: &Row) -> usize {
        let stride = row.len();
        let time = time_ms(row);
        if self.words.capacity() - self.words.len() < stride {
            // Grow by a little: most keys have few rows, and there are many keys.
            self.words.reserve_exact(stride * (2 + self.len(stride) / 3));
        }
        if self.newest_ms(stride).is_none_or(|newest| newest <= time) {
            let at = self.words().len();
            // Word by word: there are two or three, and moving many costs more to set up.
            row.iter().for_each(|word| self.words.push(*word));
            return at;
        }
        let at = self.not_after(stride, time);
        self.words.insert_from_slice(self.gone as usize + at, row);
        at
    }

    /// Forgets all of them. The room for a few stays.
    pub fn clear(&mut self) {
        self.gone = 0;
        self.words.clear();
        if self.words.capacity() > FEW_WORDS {
            self.words.shrink_to_fit();
        }
    }

    /// Forgets the oldest row.
    pub fn pop_first(&mut self, stride: usize) {
        self.gone += stride as u32;
        let gone = self.gone as usize;
        // Many words are moved when half of them are gone.
        if gone * 2 >= self.words.len() || self.words.len() <= FEW_WORDS {
            self.words.drain(..gone);
            self.gone = 0;
            if self.words.spilled() && self.words.capacity() > 4 * self.words.len() {
                self.words.shrink_to_fit();
            }
        }
    }

    /// The heap that they take, in bytes.
    pub fn heap_bytes(&self) -> usize {
        if self.words.spilled() { self.words.capacity() * size_of::<u64>() } else { 0 }
    }
}

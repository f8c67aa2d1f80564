//! The events kept for one key, in order of time and, at equal times, of the log. Rows only: what
//! is counted over them stands in [`super::series`].

use smallvec::SmallVec;

use super::plan::{INLINE_BITS, RowLayout};

/// A row: `time << 16 | bits`, further bits, integers, values.
pub type Row = [u64];

/// The time of a row, in epoch ms.
#[inline]
pub fn time_ms(row: &Row) -> i64 {
    (row[0] >> INLINE_BITS) as i64
}

/// Starts a row: its time, no bits.
pub fn start(row: &mut Row, time_ms: i64) {
    row.fill(0);
    row[0] = (time_ms as u64) << INLINE_BITS;
}

/// Sets a bit of a row.
pub fn set_bit(row: &mut Row, bit: usize) {
    match bit.checked_sub(INLINE_BITS) {
        None => row[0] |= 1 << bit,
        Some(further) => row[1 + further / 64] |= 1 << (further % 64),
    }
}

/// Has a row this bit?
#[inline]
pub fn has_bit(row: &Row, bit: usize) -> bool {
    match bit.checked_sub(INLINE_BITS) {
        None => row[0] & 1 << bit != 0,
        Some(further) => row[1 + further / 64] & 1 << (further % 64) != 0,
    }
}

/// An integer of a row.
#[inline]
pub fn integer(row: &Row, layout: RowLayout, column: usize) -> i64 {
    row[layout.integers_at + column] as i64
}

/// A value of a row: its number among the owner's.
#[inline]
pub fn value(row: &Row, layout: RowLayout, column: usize) -> u32 {
    (row[layout.values_at + column / 2] >> (32 * (column % 2))) as u32
}

/// Sets a value of a row that has none yet.
pub fn set_value(row: &mut Row, layout: RowLayout, column: usize, value: u32) {
    let word = &mut row[layout.values_at + column / 2];
    let shift = 32 * (column % 2);
    *word = *word & !(u64::from(u32::MAX) << shift) | u64::from(value) << shift;
}

/// Words of rows that stand beside the key, without a block of their own: six events of a counter
/// of amounts. Most keys have no more, and a block more is a cache miss more.
const BESIDE: usize = 12;

/// Rows in one block; those before `first` are gone and wait to be moved over.
#[derive(Debug, Default)]
pub struct Rows {
    words: SmallVec<[u64; BESIDE]>,
    first: u32,
}

impl Rows {
    /// Rows from a snapshot.
    pub fn from_words(words: Vec<u64>) -> Self {
        let mut words = SmallVec::from_vec(words);
        words.shrink_to_fit();
        Rows { words, first: 0 }
    }

    /// The words of all rows.
    #[inline]
    pub fn words(&self, stride: usize) -> &[u64] {
        &self.words[self.first as usize * stride..]
    }

    /// Touches the last word.
    #[inline]
    pub fn touch(&self) -> usize {
        self.words.last().map_or(0, |word| *word as usize)
    }

    /// How many there are.
    #[inline]
    pub fn len(&self, stride: usize) -> usize {
        self.words.len() / stride - self.first as usize
    }

    /// Are there more than `few`?
    #[inline]
    pub fn more_than(&self, few: usize, stride: usize) -> bool {
        self.words.len() > (few + self.first as usize) * stride
    }

    /// The row at this place.
    #[inline]
    pub fn row(&self, stride: usize, at: usize) -> &Row {
        let from = (self.first as usize + at) * stride;
        &self.words[from..from + stride]
    }

    /// The time of the row at this place, in epoch ms.
    #[inline]
    pub fn time_ms(&self, stride: usize, at: usize) -> i64 {
        time_ms(&self.words[(self.first as usize + at) * stride..])
    }

    /// The time of the oldest row, in epoch ms.
    #[inline]
    pub fn oldest_ms(&self, stride: usize) -> Option<i64> {
        let words = self.words(stride);
        (!words.is_empty()).then(|| time_ms(words))
    }

    /// The time of the newest row, in epoch ms.
    #[inline]
    pub fn newest_ms(&self, stride: usize) -> Option<i64> {
        let words = self.words(stride);
        Some(time_ms(&words[words.len().checked_sub(stride)?..]))
    }

    /// How many rows are not after this time.
    pub fn not_after(&self, stride: usize, time: i64) -> usize {
        let (mut low, mut high) = (0, self.len(stride));
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.time_ms(stride, middle) <= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Puts a row behind those of its time or before; returns how many words stand before it.
    pub fn insert(&mut self, row: &Row) -> usize {
        let stride = row.len();
        let time = time_ms(row);
        if self.words.capacity() - self.words.len() < stride {
            // Grow by a half: most keys have few rows, and there are many keys.
            self.words.reserve_exact(stride * (1 + self.len(stride) / 2));
        }
        if self.newest_ms(stride).is_none_or(|newest| newest <= time) {
            self.words.extend_from_slice(row);
            return self.words.len() - (self.first as usize + 1) * stride;
        }
        let at = self.not_after(stride, time) * stride;
        self.words.insert_from_slice(self.first as usize * stride + at, row);
        at
    }

    /// Forgets the oldest row.
    pub fn pop_first(&mut self, stride: usize) {
        self.first += 1;
        let gone = self.first as usize * stride;
        // Moving few words costs nothing; of many, not before half of them are gone.
        if gone * 2 >= self.words.len() || self.words.len() <= BESIDE {
            self.words.drain(..gone);
            self.first = 0;
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

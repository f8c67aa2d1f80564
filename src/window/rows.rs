//! The events kept for one key, in order of time and, at equal times, of the log. Rows only: what
//! is counted over them stands in [`super::series`].

use super::plan::{INLINE_BITS, RowLayout};

/// Says that a row has no value in a column.
pub const NO_VALUE: u32 = u32::MAX;

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

/// A value of a row: its place among the values of the key, or [`NO_VALUE`].
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

/// Rows in one block; those before `first` are gone and wait to be moved over.
#[derive(Debug, Default)]
pub struct Rows {
    words: Vec<u64>,
    first: u32,
}

impl Rows {
    /// Rows from a snapshot.
    pub fn from_words(words: Vec<u64>) -> Self {
        Rows { words, first: 0 }
    }

    /// The words of all rows, for a snapshot.
    pub fn words(&self, stride: usize) -> &[u64] {
        &self.words[self.first as usize * stride..]
    }

    /// How many there are.
    #[inline]
    pub fn len(&self, stride: usize) -> usize {
        self.words.len() / stride - self.first as usize
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

    /// The time of the newest row, in epoch ms.
    #[inline]
    pub fn newest_ms(&self, stride: usize) -> Option<i64> {
        let at = self.words.len().checked_sub(stride)?;
        (self.len(stride) > 0).then(|| time_ms(&self.words[at..]))
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

    /// Puts a row behind those of its time or before; returns its place.
    pub fn insert(&mut self, row: &Row) -> usize {
        let stride = row.len();
        let time = time_ms(row);
        if self.newest_ms(stride).is_none_or(|newest| newest <= time) {
            self.words.extend_from_slice(row);
            return self.len(stride) - 1;
        }
        let at = self.not_after(stride, time);
        let from = (self.first as usize + at) * stride;
        self.words.splice(from..from, row.iter().copied());
        at
    }

    /// Forgets the oldest row.
    pub fn pop_first(&mut self, stride: usize) {
        self.first += 1;
        let gone = self.first as usize;
        let left = self.len(stride);
        if gone >= left.max(4) {
            self.words.drain(..gone * stride);
            self.first = 0;
            if self.words.capacity() > 4 * self.words.len() + 64 {
                self.words.shrink_to(2 * self.words.len());
            }
        }
    }

    /// The heap that they take, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

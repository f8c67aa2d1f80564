//! State as a stream of values, one after the other, so that it never stands in memory a second time.
//! Whoever reads it asks for the same values in the same order; what was put as parts is taken as parts.

use serde::{Serialize, de::DeserializeOwned};

/// Takes values.
pub trait Sink {
    /// Why it takes no more.
    type Error;

    /// One more value.
    ///
    /// # Errors
    /// It cannot be taken.
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error>;

    /// Bytes.
    ///
    /// # Errors
    /// They cannot be taken.
    fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// How many there are, and each of them.
    ///
    /// # Errors
    /// One cannot be taken.
    fn put_all<T: Serialize>(
        &mut self,
        count: usize,
        mut values: impl Iterator<Item = T>,
    ) -> Result<(), Self::Error> {
        self.put(&count)?;
        values.try_for_each(|value| self.put(&value))
    }
}

/// Gives values.
pub trait Source {
    /// Why it gives no more.
    type Error;

    /// The next value.
    ///
    /// # Errors
    /// There is none, or it is something else.
    fn take<T: DeserializeOwned>(&mut self) -> Result<T, Self::Error>;

    /// The next bytes.
    ///
    /// # Errors
    /// There are none, or it is something else.
    fn take_bytes(&mut self) -> Result<&[u8], Self::Error>;

    /// As many as there are.
    ///
    /// # Errors
    /// One of them is not there, or something else.
    fn take_all<T: DeserializeOwned>(
        &mut self,
        mut each: impl FnMut(T),
    ) -> Result<(), Self::Error> {
        for _ in 0..self.take::<usize>()? {
            each(self.take()?);
        }
        Ok(())
    }
}

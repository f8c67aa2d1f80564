//! Memory that is needed soon, fetched ahead: the waits for it overlap with each other and with the
//! work that comes before. Nobody waits for what is fetched, and nothing depends on it.

/// Has the beginning of a value fetched into the cache.
#[inline]
pub fn fetch<T>(value: &T) {
    // 0 is the nearest cache.
    branches::prefetch_read_data::<T, 0>(std::ptr::from_ref(value));
}

//! A histogram in plain integers, for whoever counts in a loop and is asked for it now and then.

/// How often what has been observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The upper bounds of the buckets, inclusive, ascending; what is beyond the last has a bucket
    /// of its own.
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// Of buckets with these upper bounds, which ascend.
    pub fn new(bounds: &'static [f64]) -> Histogram {
        Histogram { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// One more value.
    #[inline]
    pub fn observe(&mut self, value: f64) {
        // Most values are small: few bounds are looked at.
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        self.counts[bucket.unwrap_or(self.bounds.len())] += 1;
        self.sum += value;
    }

    /// What another one of the same buckets has observed, too.
    pub fn add(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, more)| *sum += more);
        self.sum += other.sum;
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Each upper bound, with how many values were not above it.
    pub fn cumulated(&self) -> impl Iterator<Item = (f64, u64)> {
        self.bounds.iter().zip(&self.counts).scan(0, |below, (bound, count)| {
            *below += count;
            Some((*bound, *below))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut histogram = Histogram::new(&[1.0, 2.0, 5.0]);
        [0.0, 1.0, 1.5, 2.0, 5.0, 5.1, 900.0].into_iter().for_each(|v| histogram.observe(v));
        let cumulated: Vec<_> = histogram.cumulated().collect();
        assert_eq!(cumulated, [(1.0, 2), (2.0, 4), (5.0, 5)]);
        assert_eq!((histogram.count(), histogram.sum()), (7, 914.6));
        let again = histogram.clone();
        histogram.add(&again);
        assert_eq!(histogram.cumulated().last(), Some((5.0, 10)));
    }
}

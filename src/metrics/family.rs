//! What a metric is: its name, its kind, what it means, and which labels it has with which values.

/// How a metric is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, but for a restart.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How often which values were observed.
    Histogram,
}

impl Kind {
    /// Its name in the text form.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// The values that a label can have. The set is closed: by the program, or by what somebody has
/// configured or deployed. Never is one the id of a card, an account or an event.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// These.
    Of(fn() -> Vec<&'static str>),
    /// In words.
    Named(&'static str),
}

/// A label.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// A metric, and all series of it.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// How it is read.
    pub kind: Kind,
    /// What it means: one sentence or two, with the unit.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
    /// The upper bounds of its buckets, if it is a histogram.
    pub buckets: &'static [f64],
}

impl Family {
    /// A counter.
    pub const fn counter(name: &'static str, help: &'static str) -> Family {
        Family { name, kind: Kind::Counter, help, labels: &[], buckets: &[] }
    }

    /// A gauge.
    pub const fn gauge(name: &'static str, help: &'static str) -> Family {
        Family { name, kind: Kind::Gauge, help, labels: &[], buckets: &[] }
    }

    /// A histogram with these upper bounds.
    pub const fn histogram(
        name: &'static str,
        help: &'static str,
        buckets: &'static [f64],
    ) -> Family {
        Family { name, kind: Kind::Histogram, help, labels: &[], buckets }
    }

    /// With these labels.
    pub const fn by(self, labels: &'static [Label]) -> Family {
        Family { labels, ..self }
    }
}

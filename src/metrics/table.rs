//! A metric whose values are counted elsewhere, and shown here as they are: all its series at once,
//! so that a scrape never meets half of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{
    core::{Collector, Desc},
    proto::{self, LabelPair, MetricFamily, MetricType},
};

use super::family::{Family, Kind, Values};
use crate::pipeline::histogram::Histogram;

/// The value of a series.
#[derive(Debug, Clone)]
enum Value {
    Number(f64),
    Counts(Histogram),
}

#[derive(Debug)]
struct Series {
    labels: Vec<String>,
    value: Value,
}

/// The series of a metric.
#[derive(Debug, Clone)]
pub struct Table {
    family: &'static Family,
    desc: Arc<Desc>,
    series: Arc<Mutex<Vec<Series>>>,
}

impl Table {
    /// Of this metric. Series whose labels the program knows are there from the start, with nothing
    /// counted.
    pub fn new(family: &'static Family) -> prometheus::Result<Table> {
        let labels = family.labels.iter().map(|label| label.name.to_owned()).collect();
        let desc = Desc::new(family.name.into(), family.help.into(), labels, Default::default())?;
        let value = match family.kind {
            Kind::Histogram => Value::Counts(Histogram::new(family.buckets)),
            Kind::Counter | Kind::Gauge => Value::Number(0.0),
        };
        let series = combinations(family).into_iter();
        let series = series.map(|labels| Series { labels, value: value.clone() }).collect();
        Ok(Table { family, desc: Arc::new(desc), series: Arc::new(Mutex::new(series)) })
    }

    /// What a panicking thread left is whole: a series is changed in one step.
    fn series(&self) -> MutexGuard<'_, Vec<Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are its series now.
    pub fn show<L: Into<Vec<String>>>(&self, rows: impl IntoIterator<Item = (L, f64)>) {
        let row = |(labels, value): (L, f64)| Series {
            labels: labels.into(),
            value: Value::Number(value),
        };
        *self.series() = rows.into_iter().map(row).collect();
    }

    /// These are its series now, of a histogram.
    pub fn show_histograms<'h, L: Into<Vec<String>>>(
        &self,
        rows: impl IntoIterator<Item = (L, &'h Histogram)>,
    ) {
        let row = |(labels, histogram): (L, &Histogram)| Series {
            labels: labels.into(),
            value: Value::Counts(histogram.clone()),
        };
        *self.series() = rows.into_iter().map(row).collect();
    }

    /// The one series of a metric without labels.
    pub fn set(&self, value: f64) {
        self.show([(Vec::new(), value)]);
    }

    /// Counts on, in the series of these labels.
    pub fn add(&self, labels: &[&str], more: f64) {
        let mut series = self.series();
        match series.iter_mut().find(|one| one.labels == labels) {
            Some(Series { value: Value::Number(value), .. }) => *value += more,
            Some(_) => {}
            None => {
                let labels = labels.iter().map(|label| (*label).to_owned()).collect();
                series.push(Series { labels, value: Value::Number(more) });
            }
        }
    }

    /// Observes, in the one series of a histogram without labels.
    pub fn observe(&self, value: f64) {
        self.observe_all([value]);
    }

    /// Observes several.
    pub fn observe_all(&self, values: impl IntoIterator<Item = f64>) {
        let mut series = self.series();
        if let Some(Series { value: Value::Counts(histogram), .. }) = series.first_mut() {
            values.into_iter().for_each(|value| histogram.observe(value));
        }
    }

    /// The number in the series of these labels.
    pub fn value(&self, labels: &[&str]) -> Option<f64> {
        let series = self.series();
        let found = series.iter().find(|one| one.labels == labels)?;
        match found.value {
            Value::Number(value) => Some(value),
            Value::Counts(_) => None,
        }
    }

    fn metric(&self, series: &Series) -> proto::Metric {
        let label = |(label, value): (&super::family::Label, &String)| {
            let mut pair = LabelPair::default();
            pair.set_name(label.name.to_owned());
            pair.set_value(value.clone());
            pair
        };
        let mut labels: Vec<LabelPair> =
            self.family.labels.iter().zip(&series.labels).map(label).collect();
        labels.sort();
        let mut metric = proto::Metric::from_label(labels);
        match (&series.value, self.family.kind) {
            (Value::Number(value), Kind::Counter) => {
                let mut counter = proto::Counter::default();
                counter.set_value(*value);
                metric.set_counter(counter);
            }
            (Value::Number(value), _) => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(*value);
                metric.set_gauge(gauge);
            }
            (Value::Counts(histogram), _) => metric.set_histogram(counts(histogram)),
        }
        metric
    }
}

/// All values that labels can have together; none where the program does not know them.
fn combinations(family: &Family) -> Vec<Vec<String>> {
    family.labels.iter().fold(vec![Vec::new()], |all, label| {
        let Values::Of(values) = label.values else { return Vec::new() };
        let with = |labels: &Vec<String>| {
            let labels = labels.clone();
            values().into_iter().map(move |value| {
                labels.iter().cloned().chain([value.to_owned()]).collect::<Vec<String>>()
            })
        };
        all.iter().flat_map(with).collect()
    })
}

fn counts(histogram: &Histogram) -> proto::Histogram {
    let bucket = |(bound, count)| {
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        bucket
    };
    let mut counts = proto::Histogram::default();
    counts.set_bucket(histogram.cumulated().map(bucket).collect());
    counts.set_sample_count(histogram.count());
    counts.set_sample_sum(histogram.sum());
    counts
}

impl Collector for Table {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let series = self.series();
        // One without series is passed over: the text form has no place for it.
        if series.is_empty() {
            return Vec::new();
        }
        let mut family = MetricFamily::default();
        family.set_name(self.family.name.to_owned());
        family.set_help(self.family.help.to_owned());
        family.set_field_type(match self.family.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(series.iter().map(|one| self.metric(one)).collect());
        vec![family]
    }
}

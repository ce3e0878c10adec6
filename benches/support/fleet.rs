//! 10,000 series under four watches, the kinds that a monitoring really holds: most of them flat, some with a day in them, some noisy, and
//! one in fifty on its way to its threshold.

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use portent::core::frame::{Frame, FrameBuilder, Grid};
use portent::core::labels::Labels;
use portent::core::time::{Span, Timestamp};
use portent::core::watch::{BaselineSettings, Hysteresis, Impact, Limit, Profile, Side, Threshold, Watch};

/// Series under each watch.
pub const SERIES_PER_WATCH: usize = 2_500;
pub const STEP: Span = Span::MINUTE;
pub const DAY: usize = 1_440;
/// Minutes of history before anything is measured.
pub const WARM_UP: usize = 8 * DAY;
/// Growing series: 200 of 10,000.
const GROWING_EVERY: usize = 12;
const GROWING: usize = 200;

/// Monday, 2026-11-02T00:00:00Z.
pub fn start() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().expect("a valid time")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Disks: flat with a little noise; the first ones of every twelve grow and cross 0.9 between half an hour and two days from the end.
    Disk,
    /// Requests a second: a day, and a weekend.
    Traffic,
    /// Memory: noise far from its threshold.
    Memory,
    /// Queues: small numbers, lost scrapes, a spike now and then.
    Queue,
}

pub const KINDS: [Kind; 4] = [Kind::Disk, Kind::Traffic, Kind::Memory, Kind::Queue];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk_used_ratio",
            Self::Traffic => "http_requests_per_second",
            Self::Memory => "memory_used_bytes",
            Self::Queue => "queue_length",
        }
    }

    fn threshold(self) -> f64 {
        match self {
            Self::Disk => 0.9,
            Self::Traffic => 900.0,
            Self::Memory => 16e9,
            Self::Queue => 200.0,
        }
    }

    pub fn watch(self) -> Arc<Watch> {
        let profile = Profile {
            name: self.name().into(),
            about: String::new(),
            lower: Some(0.0),
            upper: (self == Self::Disk).then_some(1.0),
            seasonal: self != Self::Queue,
            resets: self == Self::Disk,
            deadline: false,
        };
        Arc::new(Watch {
            name: self.name().into(),
            source: "bench".into(),
            query: self.name().into(),
            step: STEP,
            limit: Some(Limit { side: Side::Above, threshold: Threshold::Value(self.threshold()) }),
            horizon: Span::DAY,
            baseline: BaselineSettings::default(),
            profile,
            special_days: portent::core::calendar::Kinds::default(),
            selecting: portent::core::selection::Selecting::Written,
            zone: TimeZone::UTC,
            service: "{{instance}}".parse().expect("a valid template"),
            code: self.name().into(),
            title: "{{instance}} runs out".parse().expect("a valid template"),
            why: None,
            impact: Impact::High,
            playbooks: Vec::new(),
            hysteresis: Hysteresis::default(),
        })
    }

    pub fn labels(self) -> Vec<Labels> {
        (0..SERIES_PER_WATCH).map(|series| labels(self, series)).collect()
    }

    /// The value of a series in a minute after [`start`]; NaN where a scrape was lost.
    pub fn value(self, series: usize, minute: usize) -> f64 {
        let noise = noise(series * 4 + self as usize, minute);
        let day = (minute as f64 / DAY as f64 + series as f64 / SERIES_PER_WATCH as f64) * TAU;
        match self {
            Self::Disk if series.is_multiple_of(GROWING_EVERY) && series / GROWING_EVERY < GROWING => {
                let crosses_after = 30 + series / GROWING_EVERY * 14;
                0.9 - 0.5 / WARM_UP as f64 * ((WARM_UP + crosses_after) as f64 - minute as f64) + 0.001 * noise
            }
            Self::Disk => 0.2 + 0.3 * (series as f64 / SERIES_PER_WATCH as f64) + 0.002 * noise,
            Self::Traffic => {
                let weekend = if minute / DAY % 7 >= 5 { 0.6 } else { 1.0 };
                weekend * (300.0 + 200.0 * day.sin()) + 30.0 * noise
            }
            Self::Memory => 8e9 + 4e9 * noise,
            Self::Queue if noise > 0.49 => f64::NAN,
            Self::Queue if noise < -0.4999 => 150.0,
            Self::Queue => (10.0 + 20.0 * noise).round().max(0.0),
        }
    }
}

fn labels(kind: Kind, series: usize) -> Labels {
    let instance = format!("host-{:04}.eu-central.example.net:9100", series / 2);
    let device = format!("nvme{}n1p{}", series % 2, series % 7);
    let pairs = [
        ("__name__", kind.name()),
        ("instance", &instance),
        ("job", "node"),
        ("device", &device),
        ("fstype", "ext4"),
        ("mountpoint", if series.is_multiple_of(2) { "/" } else { "/var/lib/postgresql" }),
    ];
    Labels::from_pairs(pairs).expect("each name once")
}

/// A scramble of series and minute, uniform on (-0.5, 0.5).
fn noise(series: usize, minute: usize) -> f64 {
    let x = ((series as u64) << 32 | minute as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 29)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// `len` minutes from `minute` on.
pub fn grid(minute: usize, len: usize) -> Grid {
    Grid { start: start() + STEP.times(minute as i64), step: STEP, len }
}

/// The samples of all series of a kind, as a source hands them over.
pub fn frame(kind: Kind, labels: &[Labels], minute: usize, len: usize) -> Frame {
    let mut builder = FrameBuilder::new(grid(minute, len));
    for (series, labels) in labels.iter().enumerate() {
        let row = builder.add_row(labels.clone()).expect("each series once");
        (0..len).for_each(|i| builder.set(row, i, kind.value(series, minute + i)));
    }
    builder.finish()
}

/// The same as a Prometheus writes it: `query_range`'s answer, numbers with all their digits.
pub fn body(kind: Kind, labels: &[Labels], minute: usize, len: usize) -> Vec<u8> {
    let mut text = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for (series, labels) in labels.iter().enumerate() {
        if series > 0 {
            text.push(',');
        }
        text.push_str(r#"{"metric":{"#);
        for (i, (name, value)) in labels.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(text, "{comma}{name:?}:{value:?}").expect("a string takes all");
        }
        text.push_str(r#"},"values":["#);
        let mut comma = "";
        for i in 0..len {
            let value = kind.value(series, minute + i);
            if value.is_finite() {
                let at_s = (start() + STEP.times((minute + i) as i64)).as_millis() / 1000;
                write!(text, "{comma}[{at_s},\"{value}\"]").expect("a string takes all");
                comma = ",";
            }
        }
        text.push_str("]}");
    }
    text.push_str("]}}");
    text.into_bytes()
}

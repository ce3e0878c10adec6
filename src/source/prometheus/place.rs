//! The states of the reader: every place in a Prometheus API answer.

/// Where in the document the next token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    Top,
    Status,
    ErrorType,
    Error,
    IsPartial,
    Warnings,
    WarningItems,
    Infos,
    InfoItems,
    Data,
    DataKeys,
    ResultType,
    Result,
    ResultItems,
    Series,
    Metric,
    MetricNames,
    MetricValue,
    Values,
    ValueItems,
    Value,
    SampleTime,
    SampleValue,
    SampleEnd,
    ScalarValue,
    ScalarEnd,
    /// Inside something unknown: levels still open, and where to go on after it.
    Skip {
        depth: u32,
        back: Back,
    },
    Done,
}

/// Objects whose unknown keys are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    Top,
    DataKeys,
    Series,
}

impl Back {
    pub fn place(self) -> Place {
        match self {
            Self::Top => Place::Top,
            Self::DataKeys => Place::DataKeys,
            Self::Series => Place::Series,
        }
    }
}

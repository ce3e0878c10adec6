//! Answers: data or an error in the same envelope, whoever asks and whatever went wrong.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::report::{Envelope, Outcome};

/// Why a request is not answered with what it asked for. The texts go to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    BadData(String),
    #[error("{0}")]
    Unauthorized(String),
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    TooMany(String),
    #[error("nothing is at {0}")]
    NotFound(String),
    #[error("{0} cannot be used with this method")]
    MethodNotAllowed(String),
    #[error("{0}")]
    Conflict(String),
    #[error("request body is larger than {limit_bytes} bytes; no endpoint needs one")]
    TooLarge { limit_bytes: usize },
    #[error("{0} requests are being answered already; try again")]
    Busy(usize),
    #[error("not answered within {0} s; what was begun may still end")]
    Timeout(u64),
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadData(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy(_) | Self::Timeout(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::BadData(_) => "bad_data",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::TooMany(_) => "too_many",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::Conflict(_) => "conflict",
            Self::TooLarge { .. } => "too_large",
            Self::Busy(_) => "busy",
            Self::Timeout(_) => "timeout",
            Self::Failed(_) => "failed",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let envelope = Envelope::<()> {
            status: Outcome::Error,
            data: None,
            more: false,
            error_type: Some(self.word().to_owned()),
            error: Some(self.to_string()),
        };
        let mut response = json(self.status(), &envelope);
        let headers = response.headers_mut();
        if matches!(self, Self::Busy(_) | Self::TooMany(_)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if matches!(self, Self::Unauthorized(_)) {
            // RFC 6750, 3. Browsers ask nobody for a bearer token, so no box opens.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"portent\""));
        }
        response
    }
}

/// `{"status":"success","data":...}`.
pub fn data(data: impl Serialize) -> Response {
    json(StatusCode::OK, &Envelope { status: Outcome::Success, data: Some(data), more: false, error_type: None, error: None })
}

/// The same for at most `limit` of `items`; with `"more":true` if there were more.
pub fn page<T: Serialize>(mut items: Vec<T>, limit: usize) -> Response {
    let more = items.len() > limit;
    items.truncate(limit);
    json(StatusCode::OK, &Envelope { status: Outcome::Success, data: Some(items), more, error_type: None, error: None })
}

/// Any value as JSON with a status.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], Body::from(bytes)).into_response(),
        Err(why) => {
            tracing::error!(%why, "could not write an answer as JSON");
            (StatusCode::INTERNAL_SERVER_ERROR, "{\"status\":\"error\",\"errorType\":\"failed\"}").into_response()
        }
    }
}

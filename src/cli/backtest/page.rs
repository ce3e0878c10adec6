//! `--report`: the page, written whole or not at all, and what it says of where its data came from.

use std::path::Path;

use super::{Args, Failure};
use crate::backtest::Report;
use crate::backtest::page::{self, About};

/// Names of files that are said; of more, the number.
const NAMED_FILES: usize = 4;

/// # Errors
/// When a picture cannot be drawn or the file cannot be written.
pub fn write(file: &Path, report: &Report, args: &Args) -> Result<(), Failure> {
    let page = page::render(report, &about(args))?;
    let fail = |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", file.display()));
    let mut partial = file.as_os_str().to_owned();
    partial.push(".tmp");
    let partial = Path::new(&partial);
    std::fs::write(partial, page).and_then(|()| std::fs::rename(partial, file)).map_err(|error| {
        // What was begun is worth nothing.
        let _ = std::fs::remove_file(partial);
        fail(error)
    })
}

fn about(args: &Args) -> About {
    let config = args.past.config.as_ref().map(|file| file.display().to_string());
    let names: Vec<String> = args.past.files.iter().take(NAMED_FILES).map(|file| file.display().to_string()).collect();
    let source = match (names.is_empty(), &args.past.prometheus, &config) {
        (false, ..) if args.past.files.len() > NAMED_FILES => {
            format!("{} and {} more", names.join(", "), args.past.files.len() - NAMED_FILES)
        }
        (false, ..) => names.join(", "),
        (true, Some(url), _) => without_credentials(url),
        (true, None, Some(config)) => format!("the sources of {config}"),
        (true, None, None) => "the sources of portent.yaml".to_owned(),
    };
    let watches = if args.past.watch.is_empty() { String::new() } else { format!(", only {}", args.past.watch.join(", ")) };
    let asked = match (&config, args.above, args.below) {
        (Some(config), ..) => config.clone(),
        (None, Some(above), _) => format!("--above {above} --horizon {}", args.horizon),
        (None, None, Some(below)) => format!("--below {below} --horizon {}", args.horizon),
        (None, None, None) if !args.past.files.is_empty() => "none: anomalies only".to_owned(),
        (None, None, None) => "the packs that have data there".to_owned(),
    };
    About { source, configuration: format!("{asked}{watches}") }
}

/// A page is shown to colleagues; a password is not.
fn without_credentials(text: &str) -> String {
    let Ok(mut url) = text.parse::<url::Url>() else { return "a Prometheus".to_owned() };
    let cleaned = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    if cleaned.is_err() && text.contains('@') { "a Prometheus".to_owned() } else { url.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_around() {
        assert_eq!(without_credentials("https://me:secret@prom.example:9090/p?token=x"), "https://prom.example:9090/p");
        assert_eq!(without_credentials("http://localhost:9090"), "http://localhost:9090/");
        assert_eq!(without_credentials("me:secret@prom"), "a Prometheus");
    }
}

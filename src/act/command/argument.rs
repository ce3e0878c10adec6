//! Arguments and environment of a program: what of a label's value may get into them.

use std::net::IpAddr;

use super::super::args::Args;
use super::super::filled::{self, Part};
use crate::core::labels::Labels;

/// Longest argument: half of what Linux refuses to start a program with (128 KiB, `MAX_ARG_STRLEN`).
const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

/// Names that make a program run code of somebody's choice. Not complete, and it need not be: only a playbook's own words get here.
const LOADERS: [&str; 12] = [
    "PATH",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYOPT",
    "NODE_OPTIONS",
    "GCONV_PATH",
];

/// One argument. What a label holds stays within it, is no option, and does not lead out of a folder that the playbook names.
pub fn argument(item: &str, labels: &Labels) -> Result<String, String> {
    let parts = filled::parts(item, labels)?;
    let (mut text, mut own) = (String::new(), String::new());
    for part in &parts {
        match part {
            Part::Own(part) => {
                text.push_str(part);
                own.push_str(part);
            }
            Part::Label(value) => {
                text.push_str(value);
                own.push('x');
            }
        }
    }
    if text.contains('\0') {
        return Err(format!("{item:?} would hold a NUL, which no argument can"));
    }
    if text.len() > MAX_ARGUMENT_BYTES {
        return Err(format!("{item:?} would be {} bytes long, want {MAX_ARGUMENT_BYTES} at most", text.len()));
    }
    if matches!(parts.first(), Some(Part::Label(_))) && text.starts_with('-') {
        return Err(format!("{item:?} would begin with `-`: a label's value may not be an option"));
    }
    let climbs = |path: &str| path.split('/').any(|name| name == "..");
    let names_a_folder = matches!(parts.first(), Some(Part::Own(head)) if head.contains('/'));
    if names_a_folder && climbs(&text) && !climbs(&own) {
        return Err(format!("{item:?} would lead out of its folder by `..` in a label's value"));
    }
    Ok(text)
}

/// `env`, of the playbook's own words only.
pub fn environment(args: Args<'_>) -> Result<Vec<(String, String)>, String> {
    let given = args.texts_by_name("env")?;
    for (name, value) in &given {
        let is_name = !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || !is_name || value.contains('\0') {
            return Err(format!("env: {name:?} is no name of a variable, or its value holds a NUL"));
        }
        if LOADERS.contains(name) || name.starts_with("LD_") || name.starts_with("DYLD_") {
            return Err(format!("env: {name} chooses what code a program runs, which only the configuration may"));
        }
        if filled::has_labels(value)? {
            return Err(format!("env: {name} holds a label, want the playbook's own words"));
        }
    }
    Ok(given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Whether `host`, with or without a port, is the machine that we run on. A program for another one must not be started here in its place.
pub fn is_this_machine(host: &str) -> Result<(), String> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let own = rustix::system::uname();
    if is_loopback || own.nodename().to_str().is_ok_and(|own| !own.is_empty() && own.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(format!("host {host:?} is not this machine, and programs are started on this one only; hint: run a remote shell as the program"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(item: &str, value: &str) -> Result<String, String> {
        argument(item, &Labels::from_pairs([("x", value)]).unwrap())
    }

    #[test]
    fn a_value_is_no_option_and_does_not_climb() {
        for (item, value, want) in [
            ("{{x}}", "a b", Some("a b")),
            ("{{x}}", "-rf", None),
            ("{{x}}{{x}}", "-", None),
            ("-{{x}}", "rf", Some("-rf")),
            ("--name={{x}}", "-rf", Some("--name=-rf")),
            (" {{x}}", "-rf", Some(" -rf")),
            ("{{x}}", "../etc", Some("../etc")),
            ("/srv/{{x}}", "../etc", None),
            ("/srv/{{x}}/log", "..", None),
            ("/srv/.{{x}}", ".", None),
            ("/srv/{{x}}", "a..b", Some("/srv/a..b")),
            ("/srv/../{{x}}", "a", Some("/srv/../a")),
            ("user@{{x}}:", "..", Some("user@..:")),
            ("{{x}}", "a\0", None),
            ("{{gone}}", "a", None),
        ] {
            assert_eq!(filled(item, value).ok().as_deref(), want, "{item} with {value:?}");
        }
        assert!(filled("{{x}}", &"a".repeat(MAX_ARGUMENT_BYTES)).is_ok() && filled("b{{x}}", &"a".repeat(MAX_ARGUMENT_BYTES)).is_err());
    }

    #[test]
    fn this_machine_has_a_name_and_loopback_addresses() {
        let own = rustix::system::uname();
        let own = own.nodename().to_str().unwrap();
        for host in [own, &format!("{own}:9100"), "localhost", "127.0.0.1:80", "127.3.2.1", "[::1]:80", "::1"] {
            assert_eq!(is_this_machine(host), Ok(()), "{host}");
        }
        for host in ["", ":80", "10.0.0.1", &format!("{own}.evil.example"), "localhost.evil.example", "1", "[::2]:80"] {
            assert!(is_this_machine(host).is_err(), "{host}");
        }
    }
}

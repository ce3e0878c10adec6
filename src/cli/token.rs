//! `portent token`: a login for one person or program, made here and kept nowhere.
//!
//! The token is random and not chosen: the configuration holds its hash alone, and a quick hash is safe only for what nobody thought up.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::{Args, Subcommand, ValueEnum};

use super::output::{self, Format};
use super::{Failure, Outcome};
use crate::clock::{Clock as _, SystemClock};
use crate::config::is_name;
use crate::core::access::{Role, TOKEN_PREFIX, TokenHash};
use crate::core::time::Span;

const EXAMPLES: &str = "Examples:
  portent token new --name ann --role approver
  portent token new --name prometheus --role viewer --expires 365d -o json
  umask 077; portent token new --name ann --role admin > ann.token     the line for the configuration goes to stderr

Roles: viewer sees everything; operator reloads and stops, too; approver approves, denies and stops; admin does all, and lets it go on.";

/// 256 bits: nothing to be guessed, with all the machines there are.
const TOKEN_BYTES: usize = 32;

/// Logins for people and programs that use the daemon's page, API and verbs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Prints a new token, once, and the line that makes it a login
    New {
        /// Whose it is; stands in the audit beside every decision
        #[arg(long)]
        name: String,
        /// What it may be used for
        #[arg(long, value_enum)]
        role: Word,
        /// It is no login any more after this time, as in 90d
        #[arg(long, value_name = "DURATION")]
        expires: Option<Span>,
        /// table or json
        #[arg(short, value_enum, default_value = "table")]
        output: Format,
    },
}

/// [`Role`] as clap knows it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Word {
    Viewer,
    Operator,
    Approver,
    Admin,
}

impl From<Word> for Role {
    fn from(word: Word) -> Self {
        match word {
            Word::Viewer => Self::Viewer,
            Word::Operator => Self::Operator,
            Word::Approver => Self::Approver,
            Word::Admin => Self::Admin,
        }
    }
}

impl Token {
    pub fn run(self) -> Outcome {
        let Verb::New { name, role, expires, output } = self.verb;
        if !is_name(&name) {
            return Err(Failure::usage(format!("{name:?} is no name: want letters, digits, '-', '_' and '.', a letter or digit first")));
        }
        let role = Role::from(role).as_str();
        let token = format!("{TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>()));
        let hash = TokenHash::of(&token).to_string();
        let expires = expires.map(|span| (SystemClock::new().now() + span).to_string());
        if output == Format::Json {
            let all = serde_json::json!({ "token": token, "name": name, "role": role, "hash": hash, "expires": expires });
            println!("{}", serde_json::to_string_pretty(&all)?);
            return Ok(ExitCode::SUCCESS);
        }
        // The token alone goes to stdout, so that it can go into a file and nothing else does.
        let mut out = output::stdout();
        output::ignore_closed(writeln!(out, "{token}").and_then(|()| out.flush()))?;
        if std::io::stdout().is_terminal() {
            eprintln!(
                "\nThis is {name}'s token. It is shown once: keep it in a file that only {name} can read, and use it with --token-file."
            );
        }
        let expires = expires.map(|at| format!(", expires: {at}")).unwrap_or_default();
        eprintln!(
            "Put this into the configuration, and reload:\nserver:\n  tokens:\n    - {{ name: {name}, role: {role}, hash: \"{hash}\"{expires} }}"
        );
        Ok(ExitCode::SUCCESS)
    }
}

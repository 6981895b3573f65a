//! `weighbridge source-key`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use wb_auth::Role;
use wb_units::did_you_mean;

use crate::commands::{Nothing, Run};
use crate::console::print;

#[derive(Debug, Args)]
pub(crate) struct SourceKeyArguments {
    /// The source's id.
    id: String,
    /// A role of the source: what it may send. Can be repeated.
    #[arg(long = "role", required = true, value_parser = role)]
    roles: Vec<Role>,
}

/// Reads the name of a role.
fn role(text: &str) -> Result<Role, String> {
    Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
        let known = Role::ALL.map(Role::as_str);
        format!("there is no such role; known are {}{}", known.join(", "), did_you_mean(text, known))
    })
}

impl Run for SourceKeyArguments {
    type Needs = Nothing;

    async fn run(self, _: Nothing) -> Result<ExitCode> {
        let key = wb_auth::GeneratedKey::random()?;
        let roles: Vec<String> = self.roles.iter().map(|role| format!("{:?}", role.as_str())).collect();
        print(&format!("# the key, shown once: {}", key.key))?;
        print(&format!(
            "[[ingest.sources]]\nid = {:?}\nkey_sha256_hex = {:?}\nroles = [{}]",
            self.id,
            key.key_sha256_hex,
            roles.join(", ")
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_one_that_ingest_knows() {
        for known in Role::ALL {
            assert_eq!(role(known.as_str()), Ok(known));
            // The configuration reads the same names.
            let read: Role = serde_json::from_value(known.as_str().into()).unwrap();
            assert_eq!(read, known);
        }
        let refused = role("operater").unwrap_err();
        assert!(refused.ends_with("did you mean operator?"), "{refused}");
        assert!(role("badrole").unwrap_err().contains("known are pool, replay"));
        assert!(role("").is_err());
    }
}

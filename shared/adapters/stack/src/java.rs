//! Finds a Java runtime that can run Kafka.

use crate::{StackError, spawner::find_on_path};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// The oldest major version for the Kafka 4 broker.
pub const MINIMUM_VERSION: u32 = 17;
/// The time limit of `java -version`, which takes a tenth of a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A suitable Java runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    /// The executable.
    pub program: PathBuf,
    /// Its major version, at least [`MINIMUM_VERSION`].
    pub version: u32,
}

/// Finds a Java runtime: the given one, otherwise that of `JAVA_HOME`, otherwise the first on the PATH.
///
/// # Errors
/// [`StackError::NoJava`] with the searched places and what to install.
pub async fn find(given: Option<&Path>) -> Result<Java, StackError> {
    let candidates = match given {
        Some(path) => vec![("the configured path", Some(path.to_owned()))],
        None => vec![
            (
                "JAVA_HOME",
                std::env::var_os("JAVA_HOME")
                    .filter(|home| !home.is_empty())
                    .map(|home| Path::new(&home).join("bin/java")),
            ),
            ("the PATH", find_on_path("java")),
        ],
    };
    let mut looked_at = Vec::new();
    for (place, program) in candidates {
        let Some(program) = program else {
            looked_at.push(format!("{place}: none"));
            continue;
        };
        match version_of(&program).await {
            Ok(version) if version >= MINIMUM_VERSION => return Ok(Java { program, version }),
            Ok(version) => looked_at.push(format!("{place}: {} is version {version}", program.display())),
            Err(reason) => looked_at.push(format!("{place}: {} {reason}", program.display())),
        }
    }
    Err(StackError::NoJava { minimum: MINIMUM_VERSION, looked_at: looked_at.join("; ") })
}

async fn version_of(program: &Path) -> Result<u32, String> {
    let asked = Command::new(program).arg("-version").stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match timeout(ANSWER_TIMEOUT, asked).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("did not execute ({error})")),
        Err(_) => return Err(format!("did not answer within {} s", ANSWER_TIMEOUT.as_secs())),
    };
    // Java prints its version to standard error, after notes about options from the environment.
    parse_version(&String::from_utf8_lossy(&output.stderr))
        .ok_or_else(|| "did not print its version".to_owned())
}

/// The major version in the output of `java -version`, such as `openjdk version "17.0.15" 2025-04-15`. Before Java 9
/// it is the second number (`"1.8.0_402"`).
fn parse_version(output: &str) -> Option<u32> {
    let (_, rest) = output.lines().find_map(|line| line.split_once(" version \""))?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn versions_of_all_eras_are_read() {
        for (output, version) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17)),
            ("Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"25\" 2025-09-16 LTS", Some(25)),
            ("java version \"1.8.0_402\"", Some(8)),
            ("openjdk version \"21-ea\" 2023-09-19", Some(21)),
            ("java: not found", None),
            ("", None),
        ] {
            assert_eq!(parse_version(output), version, "{output}");
        }
    }

    #[tokio::test]
    async fn an_old_or_missing_runtime_is_named_with_what_to_install() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("java");
        std::fs::write(&old, "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n").unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = find(Some(&old)).await.unwrap_err().to_string();
        assert!(error.contains("is version 11") && error.contains("default-jre-headless"), "{error}");

        let error = find(Some(&dir.path().join("none"))).await.unwrap_err().to_string();
        assert!(error.contains("did not execute"), "{error}");
    }
}

//! Writes the broker's configuration files.

use super::KafkaConfig;
use crate::StackError;
use std::path::Path;

/// The broker's log configuration.
pub(super) const LOG4J2: &str = include_str!("../../../../../infra/kafka/log4j2.xml");
const SERVER_PROPERTIES: &str = include_str!("../../../../../infra/kafka/server.properties.template");

/// The `server.properties` of this configuration, with the storage in `log_dir`.
pub(super) fn server_properties(config: &KafkaConfig, log_dir: &Path) -> Result<String, StackError> {
    Ok(SERVER_PROPERTIES
        .replace("@PORT@", &config.port.to_string())
        .replace("@CONTROLLER_PORT@", &config.controller_port.to_string())
        .replace("@LOG_DIR@", &property_path(log_dir)?))
}

/// A path in a property that is a list of paths. Special characters are escaped or refused.
fn property_path(path: &Path) -> Result<String, StackError> {
    let refuse = |reason| StackError::UnusablePath { path: path.to_owned(), reason };
    let text = path.to_str().ok_or_else(|| refuse("its name is not UTF-8"))?;
    if text.contains(',') {
        return Err(refuse("its name holds a comma, which separates folders in log.dirs"));
    }
    if !text.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) {
        return Err(refuse("its name holds a character outside printable ASCII"));
    }
    Ok(text.replace('\\', "\\\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled_in() {
        let config = KafkaConfig::new("/libs", "/data", 19092, 19093);
        let text = server_properties(&config, Path::new("/da ta/logs")).unwrap();
        let settings: Vec<&str> =
            text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        for wanted in [
            "listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093",
            "controller.quorum.voters=1@127.0.0.1:19093",
            "log.dirs=/da ta/logs",
            "auto.create.topics.enable=false",
        ] {
            assert!(settings.contains(&wanted), "{wanted} is missing in {text}");
        }
        let left = settings.iter().find(|line| line.replace("1@127", "").contains('@'));
        assert_eq!(left, None, "a placeholder without a value");
    }

    #[test]
    fn a_setting_is_given_once() {
        let mut names: Vec<&str> = SERVER_PROPERTIES
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('=').map(|(name, _)| name))
            .collect();
        let given = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), given);
    }

    #[test]
    fn a_path_that_the_format_would_misread_is_refused_or_escaped() {
        assert_eq!(property_path(Path::new("/a\\b")).unwrap(), "/a\\\\b");
        for bad in ["/a,b", "/a\nb", "/ä"] {
            let error = property_path(Path::new(bad)).unwrap_err();
            assert_eq!(error.code(), "WB-8003", "{bad}");
        }
    }
}

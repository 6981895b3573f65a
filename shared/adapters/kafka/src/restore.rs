//! Restores lost records of a partition with their offsets and times.
//!
//! The broker sets the times of the event topics, and the rows of blocks contain them. While records are restored,
//! the topic uses the sender's times instead.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, ResourceSpecifier,
};
use rdkafka::client::DefaultClientContext;
use wb_fold::LogRecord;

use crate::{Log, LogError, METADATA_TIMEOUT};

/// The setting that decides whose time a record gets.
const TIME_SETTING: &str = "message.timestamp.type";
/// The broker's time, the setting of all topics.
const BROKERS_TIME: &str = "LogAppendTime";
/// The sender's time.
const SENDERS_TIME: &str = "CreateTime";
/// How long a partition's leader may take to apply a new setting. The time of the first acknowledged record shows
/// whether it has.
const SETTING_TAKEN_UP: Duration = Duration::from_secs(1);
/// The pause between two checks of a setting.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(METADATA_TIMEOUT)).operation_timeout(Some(METADATA_TIMEOUT))
}

impl Log {
    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, LogError> {
        self.settings.client().create().map_err(LogError::client)
    }

    /// Whether the broker sets the times of a topic's records, as it always must except while records are restored.
    ///
    /// # Errors
    /// [`LogError::TopicSettings`].
    pub async fn broker_sets_times(&self, topic: &str) -> Result<bool, LogError> {
        let described = describe(&self.admin()?, topic).await?;
        Ok(described.get(TIME_SETTING).and_then(|entry| entry.value.as_deref()) == Some(BROKERS_TIME))
    }

    /// Makes the broker or the sender set the times of a topic's records; all other settings stay.
    ///
    /// # Errors
    /// [`LogError::TopicSettings`].
    pub async fn let_broker_set_times(&self, topic: &str, broker: bool) -> Result<(), LogError> {
        let failed = |detail: String| LogError::TopicSettings { topic: topic.to_owned(), detail };
        let admin = self.admin()?;
        let wanted = if broker { BROKERS_TIME } else { SENDERS_TIME };
        let described = describe(&admin, topic).await?;
        let own = described.entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
        let mut entries: HashMap<&str, &str> =
            own.filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?))).collect();
        entries.insert(TIME_SETTING, wanted);
        let change = AlterConfig { specifier: ResourceSpecifier::Topic(topic), entries };
        let changed = admin.alter_configs(&[change], &options()).await;
        for result in changed.map_err(|error| failed(error.to_string()))? {
            result.map_err(|(_, code)| failed(code.to_string()))?;
        }
        let deadline = tokio::time::Instant::now() + METADATA_TIMEOUT;
        while self.broker_sets_times(topic).await? != broker {
            if tokio::time::Instant::now() > deadline {
                return Err(failed(format!("{TIME_SETTING} did not become {wanted}")));
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        tokio::time::sleep(SETTING_TAKEN_UP).await;
        Ok(())
    }

    /// Appends a record that must get its former offset and time. Its key and headers were only in the log and are
    /// lost.
    ///
    /// # Errors
    /// As [`Log::append`], and [`LogError::NotRestored`] if it gets another offset or time.
    pub async fn put_back(&self, topic: &str, partition: u32, record: &LogRecord) -> Result<(), LogError> {
        let time_ms = Some(record.append_time_us / 1_000);
        let sent = self.producer.send(topic, partition, &[], &record.payload, &[], time_ms)?;
        let (found_offset, set_by_broker) = sent.reported().await?;
        if found_offset == record.offset && set_by_broker.is_none() {
            return Ok(());
        }
        Err(LogError::NotRestored { topic: topic.to_owned(), partition, offset: record.offset, found_offset })
    }
}

async fn describe(
    admin: &AdminClient<DefaultClientContext>,
    topic: &str,
) -> Result<ConfigResource, LogError> {
    let failed = |detail: String| LogError::TopicSettings { topic: topic.to_owned(), detail };
    let asked = admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options()).await;
    let first = asked.map_err(|error| failed(error.to_string()))?.into_iter().next();
    match first {
        Some(Ok(described)) => Ok(described),
        Some(Err(code)) => Err(failed(code.to_string())),
        None => Err(failed("the broker did not describe it".to_owned())),
    }
}

//! The broker's ids of topics. A topic that was deleted and created again has another id, even if its name, its
//! partitions and its length are the same.
//!
//! The Rust client does not offer ids, but librdkafka's C interface does (`DescribeTopics`), over the client's own
//! connections with their TLS and SASL settings. This is the only unsafe code of this crate: objects from C are owned
//! by `Owned` and freed once, and results are copied.

#![allow(unsafe_code, reason = "a foreign library is called")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

/// Ids by topic; a topic that does not exist has none, nor has any topic of a broker older than Kafka 2.8.
pub type TopicIds = BTreeMap<String, [u8; 16]>;

/// The library returns by itself after the limit; nothing comes later than this.
const GRACE: Duration = Duration::from_secs(1);
/// The buffer for the library's error about an option.
const MESSAGE_BYTES_MAX: usize = 512;
/// The name of the error of a topic that does not exist.
const UNKNOWN_TOPIC: &CStr = c"UNKNOWN_TOPIC_OR_PART";

/// Reads the ids from the cluster, for at most `limit`.
pub(crate) async fn ask(
    client: &Arc<BaseConsumer>,
    topics: &[&str],
    limit: Duration,
) -> Result<TopicIds, String> {
    let names: Result<Vec<CString>, _> = topics.iter().map(|topic| CString::new(*topic)).collect();
    let names = names.map_err(|_| "a topic's name holds a zero byte".to_owned())?;
    let client = Arc::clone(client);
    match tokio::task::spawn_blocking(move || describe(&client, &names, limit)).await {
        Ok(answer) => answer,
        Err(error) => Err(error.to_string()),
    }
}

/// An object of the library, freed with this guard.
struct Owned<T> {
    pointer: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes ownership of an object; none if the pointer is null.
    ///
    /// # Safety
    /// The pointer is null, or nobody else frees it and `free` is the function that does.
    unsafe fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, free })
    }

    const fn as_ptr(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by the promise of `new` this is the one place that frees the object, with its own function; a guard is
        // dropped once.
        unsafe { (self.free)(self.pointer.as_ptr()) }
    }
}

/// Blocks its thread until the cluster has answered or the limit has passed.
fn describe(client: &BaseConsumer, topics: &[CString], limit: Duration) -> Result<TopicIds, String> {
    let milliseconds = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let refused = || "the client refused the request".to_owned();
    // Lives as long as `client` is borrowed, which is longer than all that is made of it here.
    let handle = client.client().native_ptr();

    // SAFETY: `handle` is a live client; the new options are ours, and this function frees options.
    let options = unsafe {
        let for_api = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        Owned::new(c::rd_kafka_AdminOptions_new(handle, for_api), c::rd_kafka_AdminOptions_destroy)
    }
    .ok_or_else(refused)?;
    let mut message: [c_char; MESSAGE_BYTES_MAX] = [0; MESSAGE_BYTES_MAX];
    // SAFETY: the options are live; the library writes at most the length that it is given, its final zero included.
    let set = unsafe {
        c::rd_kafka_AdminOptions_set_request_timeout(
            options.as_ptr(),
            milliseconds(limit),
            message.as_mut_ptr(),
            message.len(),
        )
    };
    if set != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        // SAFETY: `message` lives on, and ends in a zero: it was zeros, and the library ends what it writes.
        return Err(unsafe { text(message.as_ptr()) });
    }

    let mut names: Vec<*const c_char> = topics.iter().map(|topic| topic.as_ptr()).collect();
    // SAFETY: as many pointers as are said, to texts that live on and end in a zero; the library copies them. The new
    // collection is ours, and this function frees collections.
    let collection = unsafe {
        let made = c::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        Owned::new(made, c::rd_kafka_TopicCollection_destroy)
    }
    .ok_or_else(refused)?;
    // SAFETY: `handle` is a live client; the new queue is ours, and this function frees queues, with what is in them. An
    // answer that comes later finds the queue closed, as the library counts its own references to it.
    let queue = unsafe { Owned::new(c::rd_kafka_queue_new(handle), c::rd_kafka_queue_destroy) }
        .ok_or_else(refused)?;
    // SAFETY: all four are live; the library copies the topics and the options and keeps a reference to the queue.
    unsafe {
        c::rd_kafka_DescribeTopics(handle, collection.as_ptr(), options.as_ptr(), queue.as_ptr());
    }
    // SAFETY: the queue is live and polled by this thread only; an event that it gives is ours, and this function frees
    // events.
    let event = unsafe {
        let polled = c::rd_kafka_queue_poll(queue.as_ptr(), milliseconds(limit.saturating_add(GRACE)));
        Owned::new(polled, c::rd_kafka_event_destroy)
    }
    .ok_or_else(|| format!("no answer within {} ms", limit.as_millis()))?;
    read(&event)
}

/// Converts the answer.
fn read(event: &Owned<c::rd_kafka_event_t>) -> Result<TopicIds, String> {
    // SAFETY: the event is live, and so is the text that it owns.
    unsafe {
        if c::rd_kafka_event_error(event.as_ptr()) != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(text(c::rd_kafka_event_error_string(event.as_ptr())));
        }
    }
    // SAFETY: the event is live; null where it is of another kind.
    let result = unsafe { c::rd_kafka_event_DescribeTopics_result(event.as_ptr()) };
    if result.is_null() {
        return Err("the client answered another request".to_owned());
    }
    let mut count = 0;
    // SAFETY: `result` is of this kind and lives as long as its event, and so does the array it gives, of `count`
    // pointers; null where there is none.
    let described = unsafe {
        let first = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if first.is_null() { &[][..] } else { std::slice::from_raw_parts(first, count) }
    };
    let mut ids = TopicIds::new();
    // A topic that the broker skipped is null.
    for topic in described.iter().copied().filter(|topic| !topic.is_null()) {
        // SAFETY: a topic of the array lives as long as the event, and so do its name, its error and its id.
        let (name, error, id) = unsafe {
            (
                text(c::rd_kafka_TopicDescription_name(topic)),
                c::rd_kafka_TopicDescription_error(topic),
                c::rd_kafka_TopicDescription_topic_id(topic),
            )
        };
        // SAFETY: `error` lives as above; its name is a constant of the library, and its text its own.
        let problem = unsafe {
            let is_settled =
                error.is_null() || CStr::from_ptr(c::rd_kafka_error_name(error)) == UNKNOWN_TOPIC;
            (!is_settled).then(|| text(c::rd_kafka_error_string(error)))
        };
        if let Some(problem) = problem {
            return Err(format!("{name}: {problem}"));
        }
        if error.is_null() && !id.is_null() {
            // SAFETY: `id` lives as above.
            let id = unsafe { bytes(id) };
            // A broker without ids returns zeros.
            if id != [0; 16] {
                ids.insert(name, id);
            }
        }
    }
    Ok(ids)
}

/// An id as Kafka writes it: 16 bytes, the most significant first.
///
/// # Safety
/// The id is live.
unsafe fn bytes(id: *const c::rd_kafka_Uuid_t) -> [u8; 16] {
    // SAFETY: by the promise above.
    let (high, low) =
        unsafe { (c::rd_kafka_Uuid_most_significant_bits(id), c::rd_kafka_Uuid_least_significant_bits(id)) };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    bytes
}

/// A copy of a text of the library; empty for null.
///
/// # Safety
/// The pointer is null, or its text lives and ends in a zero.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by the promise above.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;
    use crate::LogSettings;

    const LIMIT: Duration = Duration::from_millis(700);

    fn client(brokers: &str) -> Arc<BaseConsumer> {
        let settings = LogSettings { brokers: brokers.to_owned(), properties: Vec::new() };
        Arc::new(settings.consumer().create().unwrap())
    }

    #[test]
    fn an_id_is_written_as_kafka_does() {
        // SAFETY: the new id is ours until it is freed, once.
        let id =
            unsafe { Owned::new(c::rd_kafka_Uuid_new(0x0001_0203_0405_0607, -2), c::rd_kafka_Uuid_destroy) };
        // SAFETY: it is live.
        let bytes = unsafe { bytes(id.unwrap().as_ptr()) };
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 255, 255, 255, 255, 255, 255, 255, 254]);
    }

    #[tokio::test]
    async fn a_broker_that_does_not_answer_is_not_waited_for_beyond_the_limit() {
        // It accepts connections, because the system does, but never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client(&silent.local_addr().unwrap().to_string());
        let began = Instant::now();
        let error = ask(&client, &["shares"], LIMIT).await.unwrap_err();
        assert!(error.contains("imed out"), "{error}");
        assert!((LIMIT..LIMIT + GRACE).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn what_is_no_question_is_refused_at_once() {
        let client = client("127.0.0.1:1");
        let twice = ask(&client, &["gpu", "gpu"], LIMIT).await.unwrap_err();
        assert!(twice.contains("Duplicate"), "{twice}");
        assert!(ask(&client, &["g\0pu"], LIMIT).await.unwrap_err().contains("zero byte"));
        assert_eq!(ask(&client, &[], LIMIT).await, Ok(TopicIds::new()));
        let for_ever = ask(&client, &["gpu"], Duration::from_secs(100_000)).await.unwrap_err();
        assert!(for_ever.contains("range"), "{for_ever}");
    }

    /// Resident memory of this process, in KiB.
    fn resident_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[tokio::test]
    async fn asking_many_times_keeps_nothing() {
        const ASKED: u32 = 20_000;
        // Each request would leak a kilobyte or more.
        const GROWTH_KIB_MAX: u64 = 4_096;
        let client = client("127.0.0.1:1");
        let name = CString::new("t".repeat(200)).unwrap();
        let names = [name.clone(), name];
        let round = || {
            for _ in 0..ASKED {
                assert!(describe(&client, &names, LIMIT).is_err());
            }
            resident_kib()
        };
        let warm = round();
        let after = round();
        assert!(after.saturating_sub(warm) < GROWTH_KIB_MAX, "from {warm} to {after} KiB");
    }
}

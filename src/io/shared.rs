//! Snapshots in a place that all instances share, beside those in the directory of one: a partition
//! that moves finds its state there.
//!
//! What fails there stops nothing: decisions go on, the failure is told and counted, and the next
//! snapshot tries again. Only a restore that finds nothing in its own directory waits for it.

use std::{
    collections::BTreeSet,
    path::Path as FilePath,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use object_store::{
    BackoffConfig, ClientConfigKey, ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey::Client as client},
    path::Path,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};
use tracing::warn;

use super::{
    clock::Clock,
    shelf::{Directory, RULESETS, name_of, offset_of, ruleset_file},
};
use crate::{
    config::service::{Shared, State},
    pipeline::{
        ports::{Broken, Shelf},
        snapshot,
    },
};

const CONNECT_TIMEOUT: &str = "5 seconds";
/// One request, with all that it carries.
const REQUEST_TIMEOUT: &str = "60 seconds";
/// What is there is told within so long, or not at all.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests that failed for now are tried again up to so long.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);
/// So long after that nothing is asked, so that an end is not held up by each partition in turn.
const LEFT_ALONE: Duration = Duration::from_secs(5);
/// What is larger goes in pieces of this size, so many at a time.
const PIECE_BYTES: usize = 8 << 20;
const PIECES_AT_A_TIME: usize = 4;

/// The place of snapshots that these settings describe.
///
/// # Errors
/// The shared place cannot be used: what is wrong, and where to set it right.
pub fn shelf(state: &State, group: &str, topic: &str) -> Result<Arc<dyn Shelf>, String> {
    let near = Directory::new(FilePath::new(&state.dir), group, topic);
    if let Err(error) = near.sweep() {
        warn!(%error, "what is left of unfinished snapshots cannot be removed");
    }
    let (far, name): (Box<dyn Shelf>, String) = match &state.shared {
        None => return Ok(Arc::new(near)),
        Some(Shared::Directory(dir)) => {
            (Box::new(Directory::new(dir, group, topic)), dir.display().to_string())
        }
        Some(Shared::Bucket { bucket, prefix }) => {
            let name = format!("s3://{bucket}/{prefix}");
            (Box::new(Bucket::new(bucket, prefix, group, topic, &name)?), name)
        }
    };
    Ok(Arc::new(Both { near, far, name }))
}

/// A directory of one instance's own, and a place that is shared.
struct Both {
    near: Directory,
    far: Box<dyn Shelf>,
    name: String,
}

impl Shelf for Both {
    fn offsets(&self, partition: i32) -> Result<Vec<i64>, Broken> {
        let near = self.near.offsets(partition)?;
        let far = match self.far.offsets(partition) {
            // Older, perhaps: then more of the log is read again.
            Err(broken) if !near.is_empty() => {
                warn!(partition, place = self.name, reason = %broken, "the shared snapshots are passed over");
                return Ok(near);
            }
            far => far?,
        };
        let all: BTreeSet<i64> = near.into_iter().chain(far).collect();
        Ok(all.into_iter().collect())
    }

    fn get(&self, partition: i32, offset: i64) -> Result<Vec<u8>, Broken> {
        let near = match self.near.offsets(partition)?.contains(&offset) {
            true => self.near.get(partition, offset),
            false => return self.far.get(partition, offset),
        };
        let why = match near.as_deref().map(snapshot::check) {
            Ok(Ok(())) => return near,
            Ok(Err(unreadable)) => unreadable.to_string(),
            Err(broken) => broken.to_string(),
        };
        // The other copy may be whole.
        warn!(
            partition,
            offset,
            reason = why,
            "a snapshot is damaged: the shared one is asked for"
        );
        self.far.get(partition, offset).or(near)
    }

    fn kept_ms(&self, partition: i32, offset: i64) -> Result<Option<i64>, Broken> {
        match self.near.offsets(partition)?.contains(&offset) {
            true => self.near.kept_ms(partition, offset),
            false => self.far.kept_ms(partition, offset),
        }
    }

    fn put(&self, partition: i32, offset: i64, bytes: &[u8]) -> Result<(), Broken> {
        let near = self.near.put(partition, offset, bytes);
        let far = self.far.put(partition, offset, bytes);
        near.and(far)
    }

    fn remove(&self, partition: i32, offset: i64) -> Result<(), Broken> {
        let near = self.near.remove(partition, offset);
        let far = self.far.remove(partition, offset);
        near.and(far)
    }

    fn ruleset(&self, identity: &str) -> Result<Option<String>, Broken> {
        match self.near.ruleset(identity)? {
            None => self.far.ruleset(identity),
            known => Ok(known),
        }
    }

    fn keep_ruleset(&self, identity: &str, configuration: &str) -> Result<(), Broken> {
        let near = self.near.keep_ruleset(identity, configuration);
        let far = self.far.keep_ruleset(identity, configuration);
        near.and(far)
    }
}

/// A bucket of an object store that speaks S3.
struct Bucket {
    store: AmazonS3,
    root: Path,
    name: String,
    /// Its own: whoever asks for a snapshot waits for it.
    runtime: Runtime,
    failed: Mutex<Option<Clock>>,
}

impl Bucket {
    fn new(
        bucket: &str,
        prefix: &str,
        group: &str,
        topic: &str,
        name: &str,
    ) -> Result<Bucket, String> {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 10,
            retry_timeout: RETRY_TIMEOUT,
        };
        // Who we are, and where the store is, stands in the environment, as its own tools have it.
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_config(client(ClientConfigKey::ConnectTimeout), CONNECT_TIMEOUT)
            .with_config(client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
            .with_retry(retry)
            .build()
            .map_err(|error| format!("[state] url {name}: {error}"))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| format!("no threads can be started: {error}"))?;
        let parts = prefix.split('/').filter(|part| !part.is_empty());
        let root = parts.chain(["snapshots", group, topic]).collect();
        Ok(Bucket { store, root, name: name.to_owned(), runtime, failed: Mutex::default() })
    }

    fn of(&self, partition: i32) -> Path {
        self.root.clone().join(partition.to_string())
    }

    fn object(&self, partition: i32, offset: i64) -> Path {
        self.of(partition).join(name_of(offset))
    }

    /// Asks, and waits for the answer; not at all for a while after it has failed.
    fn asked<T>(
        &self,
        request: impl Future<Output = Result<T, object_store::Error>>,
    ) -> Result<T, Broken> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed().is_some_and(|at| at.elapsed() < LEFT_ALONE) {
            return Err(Broken::ForNow(format!("{}: it has just failed", self.name)));
        }
        let outcome = self.runtime.block_on(request);
        *failed() = match &outcome {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => None,
            Err(_) => Some(Clock::new()),
        };
        outcome.map_err(|error| Broken::ForNow(format!("{}: {error}", self.name)))
    }
}

impl Shelf for Bucket {
    fn offsets(&self, partition: i32) -> Result<Vec<i64>, Broken> {
        let dir = self.of(partition);
        let list = self.store.list_with_delimiter(Some(&dir));
        // A partition that is restored waits for this.
        let list = self.asked(async {
            timeout(LIST_TIMEOUT, list).await.unwrap_or_else(|late| {
                Err(object_store::Error::Generic { store: "S3", source: late.into() })
            })
        })?;
        let names = list.objects.iter().filter_map(|object| object.location.filename());
        Ok(names.filter_map(|name| offset_of(FilePath::new(name))).collect())
    }

    fn get(&self, partition: i32, offset: i64) -> Result<Vec<u8>, Broken> {
        let object = self.object(partition, offset);
        let bytes = self.asked(async { self.store.get(&object).await?.bytes().await })?;
        Ok(bytes.into())
    }

    fn kept_ms(&self, partition: i32, offset: i64) -> Result<Option<i64>, Broken> {
        let object = self.object(partition, offset);
        let found = self.asked(async { self.store.head(&object).await })?;
        Ok(Some(found.last_modified.timestamp_millis()))
    }

    fn put(&self, partition: i32, offset: i64, bytes: &[u8]) -> Result<(), Broken> {
        let object = self.object(partition, offset);
        self.asked(async {
            if bytes.len() <= PIECE_BYTES {
                return self.store.put(&object, bytes.to_vec().into()).await.map(|_| ());
            }
            let upload = self.store.put_multipart(&object).await?;
            let mut pieces = WriteMultipart::new_with_chunk_size(upload, PIECE_BYTES);
            for piece in bytes.chunks(PIECE_BYTES) {
                pieces.wait_for_capacity(PIECES_AT_A_TIME).await?;
                pieces.write(piece);
            }
            pieces.finish().await.map(|_| ())
        })
    }

    fn remove(&self, partition: i32, offset: i64) -> Result<(), Broken> {
        let object = self.object(partition, offset);
        self.asked(async {
            match self.store.delete(&object).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                outcome => outcome,
            }
        })
    }

    fn ruleset(&self, identity: &str) -> Result<Option<String>, Broken> {
        let object = self.root.clone().join(RULESETS).join(ruleset_file(identity));
        let text = self.asked(async {
            match self.store.get(&object).await {
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                found => found?.bytes().await.map(Some),
            }
        })?;
        Ok(text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn keep_ruleset(&self, identity: &str, configuration: &str) -> Result<(), Broken> {
        let object = self.root.clone().join(RULESETS).join(ruleset_file(identity));
        let bytes = configuration.as_bytes().to_vec();
        self.asked(async {
            match self.store.head(&object).await {
                Ok(_) => Ok(()),
                Err(_) => self.store.put(&object, bytes.into()).await.map(|_| ()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes with the checksum of a snapshot.
    fn checked(bytes: &[u8]) -> Vec<u8> {
        [bytes, &crc32c::crc32c(bytes).to_le_bytes()].concat()
    }

    #[test]
    fn what_is_damaged_here_is_taken_from_there() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [near, far] = dirs.each_ref().map(|dir| Directory::new(dir.path(), "group", "topic"));
        let both =
            Both { near: near.clone(), far: Box::new(far.clone()), name: "there".to_owned() };
        let whole = checked(b"a state");
        both.put(3, 17, &whole).unwrap();
        both.keep_ruleset("sha256:ab", "a = 1").unwrap();
        near.put(3, 17, b"a st").unwrap();
        assert_eq!(both.get(3, 17), Ok(whole.clone()));
        near.remove(3, 17).unwrap();
        assert_eq!(both.get(3, 17), Ok(whole));
        // Damaged in both places: that is for the reader to say.
        near.put(3, 17, b"a st").unwrap();
        far.remove(3, 17).unwrap();
        assert_eq!(both.get(3, 17), Ok(b"a st".to_vec()));
        assert_eq!(far.ruleset("sha256:ab"), Ok(Some("a = 1".to_owned())));
        assert_eq!(near.ruleset("sha256:ab"), Ok(Some("a = 1".to_owned())));
    }
}

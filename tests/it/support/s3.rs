//! An object store that speaks S3, and asks who is there: a folder behind a port of its own.

use std::{path::Path, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};

use super::process::pause;

const BUCKET: &str = "bucket";
const KEY: &str = "a-key-of-the-tests";
/// What nobody may print.
pub(crate) const SECRET: &str = "a-secret-that-nobody-may-print";

/// The store; gone when it is dropped.
pub(crate) struct ObjectStore {
    folder: TempDir,
    port: u16,
    runtime: Option<Runtime>,
}

impl ObjectStore {
    pub(crate) fn start() -> ObjectStore {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a folder");
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a store"));
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // Whoever hangs up has what he wanted.
                    let _ = builder.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        ObjectStore { folder, port, runtime: Some(runtime) }
    }

    /// For so long it takes requests and answers none, as a disk behind it that hangs.
    pub(crate) fn hang(&self, length: Duration) {
        let runtime = self.runtime.as_ref().expect("it is there until it is dropped");
        // Its only thread.
        runtime.spawn(async move { pause(length.as_millis() as u64) });
    }

    /// A place in it.
    pub(crate) fn url(&self) -> String {
        format!("s3://{BUCKET}/a/prefix")
    }

    /// What is in that place.
    pub(crate) fn place(&self) -> std::path::PathBuf {
        self.folder.path().join(BUCKET).join(Path::new("a/prefix"))
    }

    /// What a client has to know.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not once it has done with hanging.
            runtime.shutdown_background();
        }
    }
}

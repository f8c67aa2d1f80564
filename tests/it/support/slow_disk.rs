//! A disk that takes what is written to it when it pleases, or not at all: a library put before that of
//! the system, in which `fsync` and `fdatasync` wait and `write` finds no room for as long as they are
//! told to.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

/// The disk of the processes that have its environment.
#[derive(Debug)]
pub(crate) struct SlowDisk {
    folder: TempDir,
}

impl SlowDisk {
    pub(crate) fn build() -> SlowDisk {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("slow_disk.c");
        fs::write(&source, include_str!("slow_disk.c")).expect("a file");
        let disk = SlowDisk { folder };
        let mut compiler = Command::new("cc");
        compiler.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]);
        compiler.arg(disk.library()).arg(&source).arg("-ldl");
        let status = compiler.status().expect("a C compiler, as the build needs one");
        assert!(status.success(), "{compiler:?} ends with {status}");
        disk
    }

    /// What a process has in its environment that writes to it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |path: PathBuf| path.to_str().expect("plain letters").to_owned();
        vec![
            ("LD_PRELOAD", path(self.library())),
            ("HOLDFAST_TEST_DISK", path(self.sign())),
            ("HOLDFAST_TEST_DISK_FULL", path(self.full())),
        ]
    }

    /// Nothing that is written arrives.
    pub(crate) fn hang(&self) {
        fs::write(self.sign(), "").expect("a file");
    }

    /// Whatever is written takes so much longer to arrive.
    pub(crate) fn delay(&self, ms: u32) {
        fs::write(self.sign(), ms.to_string()).expect("a file");
    }

    /// It is as quick as ever.
    pub(crate) fn go_on(&self) {
        fs::remove_file(self.sign()).expect("it is slow");
    }

    /// There is no room left on it.
    pub(crate) fn fill(&self) {
        fs::write(self.full(), "").expect("a file");
    }

    /// There is room again.
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.full()).expect("it is full");
    }

    fn full(&self) -> PathBuf {
        self.folder.path().join("full")
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("slow_disk.so")
    }

    fn sign(&self) -> PathBuf {
        self.folder.path().join("disk")
    }
}

//! For tests, the engine's and those of the whole: work without root's rights.

/// A user without rights.
pub const NOBODY: u32 = 65_534;

/// Runs `work` in a thread without root's rights, and so in the threads that it starts.
pub fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let (uid, gid) = (
                rustix::fs::Uid::from_raw(NOBODY),
                rustix::fs::Gid::from_raw(NOBODY),
            );
            rustix::thread::set_thread_groups(&[]).unwrap();
            rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

//! A cluster that keeps each object on two of three servers, and loses one of them in the middle of a run.

use super::outages::{Site, interrupted_by};
use kit::servers::Cluster;

/// A backup or restore either goes through, or ends with the code and words of a storage that fails, having published
/// nothing; and the next run goes on, with the server still away.
#[test]
fn a_server_is_lost_in_the_middle() {
    let Some(mut cluster) = Cluster::start("a_server_is_lost_in_the_middle") else {
        return;
    };
    let site = Site::new(cluster.url());
    let (code, said) = interrupted_by(site.command(&["backup", &site.source]), || cluster.kill(0));
    assert!(code == 0 || code == 1, "{code}: {said}");
    if code == 1 {
        assert!(
            said.contains("tried") && said.contains("run the command again"),
            "{said}"
        );
        assert_eq!(site.snapshots(), 1);
        site.args(&["backup", &site.source]).ends(0);
    }
    assert_eq!(site.snapshots(), 2);
    site.restored("while it is away");
    cluster.resume(0);
    site.args(&["check", "--read-data"]).ends(0);

    let target = site.home.text("target");
    let restore = site.command(&["restore", "latest", "--target", &target]);
    let (code, said) = interrupted_by(restore, || cluster.kill(1));
    assert_eq!(code, 0, "what one server had another one has: {said}");
    site.compare(&target);
    site.args(&["backup", &site.source]).ends(0);
    assert_eq!(site.snapshots(), 3);
}

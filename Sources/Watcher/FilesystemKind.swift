// Whether a folder's filesystem announces every change through inotify. Asked once, of statfs(2). inotify hooks into this
// kernel's own calls, so it cannot see what another machine (network, cluster and shared-host filesystems) or the kernel
// itself (proc, sys) changes. Not listed means that it works: a wrong guess costs at most one reconcile interval per prompt.

import CInotifyTools
import Glibc

/// What is known of a filesystem's way with inotify.
public struct FilesystemKind: Sendable, Equatable {
    /// `f_type` of statfs(2).
    public let magic: UInt32
    /// What people call it, where it is one of the listed ones; else its magic number.
    public let name: String
    /// Every change that reaches the folder is announced.
    public let announcesChanges: Bool

    /// - Throws: ``WatcherError``: `folderMissing`, `notAFolder`, `notPermitted`, `system`.
    public init(ofFolder folder: String) throws(WatcherError) {
        let path = try FolderPath(folder)
        var status = statfs()
        guard statfs(path.text, &status) == 0 else { throw .reaching(path.text, errno: errno) }
        // f_type is a signed word; the magic numbers have 32 bits, some with the highest one set.
        self.init(magic: UInt32(truncatingIfNeeded: status.f_type))
    }

    init(magic: UInt32) {
        self.magic = magic
        name = Self.silent[magic] ?? Self.announcing[magic] ?? "0x" + String(magic, radix: 16)
        announcesChanges = Self.silent[magic] == nil
    }

    /// Numbers and names from linux/magic.h, and those without a name there from the filesystem's own source; the same that
    /// `tail -f` of GNU coreutils does not trust inotify on (its stat.c, marked "remote").
    private static let silent: [UInt32: String] = [
        UInt32(NFS_SUPER_MAGIC): "NFS",
        UInt32(SMB_SUPER_MAGIC): "SMB",
        UInt32(CIFS_SUPER_MAGIC): "CIFS",
        UInt32(SMB2_SUPER_MAGIC): "SMB2",
        UInt32(V9FS_MAGIC): "9p",
        // Also virtiofs (its superblock has FUSE's number), sshfs, and the folders that desktop virtual machines share.
        UInt32(FUSE_SUPER_MAGIC): "FUSE",
        UInt32(AFS_SUPER_MAGIC): "AFS",
        UInt32(AFS_FS_MAGIC): "kAFS",
        UInt32(CEPH_SUPER_MAGIC): "Ceph",
        UInt32(CODA_SUPER_MAGIC): "Coda",
        UInt32(NCP_SUPER_MAGIC): "NCP",
        // Cluster filesystems: changes by other nodes are not announced here.
        UInt32(OCFS2_SUPER_MAGIC): "OCFS2",
        0x0116_1970: "GFS2",
        0x4750_4653: "GPFS",
        0x0BD0_0BD0: "Lustre",
        0x1983_0326: "BeeGFS",
        0xAAD7_AAEA: "PanFS",
        0x6163_6673: "ACFS",
        // Folders of the host, seen from a guest.
        UInt32(HOSTFS_SUPER_MAGIC): "hostfs",
        0x786F_4256: "vboxsf",
        0xBACB_ACBC: "vmhgfs",
        0x7C7C_6673: "prl_fs",
        // The kernel makes these up as they are read.
        UInt32(PROC_SUPER_MAGIC): "proc",
        UInt32(SYSFS_MAGIC): "sysfs",
        UInt32(CGROUP2_SUPER_MAGIC): "cgroup2",
    ]

    /// Listed for their names. overlay announces what is done through it; what is done to its layers behind its back is
    /// undefined by overlayfs itself, and found by the reconcile interval. aufs and eCryptfs stand in the same case.
    private static let announcing: [UInt32: String] = [
        UInt32(EXT4_SUPER_MAGIC): "ext4",
        UInt32(XFS_SUPER_MAGIC): "XFS",
        UInt32(BTRFS_SUPER_MAGIC): "Btrfs",
        UInt32(TMPFS_MAGIC): "tmpfs",
        UInt32(RAMFS_MAGIC): "ramfs",
        UInt32(F2FS_SUPER_MAGIC): "F2FS",
        UInt32(OVERLAYFS_SUPER_MAGIC): "overlay",
        UInt32(ECRYPTFS_SUPER_MAGIC): "eCryptfs",
        UInt32(MSDOS_SUPER_MAGIC): "FAT",
        UInt32(EXFAT_SUPER_MAGIC): "exFAT",
        0x6175_6673: "aufs",
        0x2FC1_2FC1: "ZFS",
        0xCA45_1A4E: "bcachefs",
    ]
}

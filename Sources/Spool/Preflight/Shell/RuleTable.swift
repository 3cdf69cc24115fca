// The rules, one row each: code, what matches, what excuses, message, advice. A new rule is a row here and its two cases in
// Tests/ShellCases. What each code means is in docs/preflight.md.

enum RuleTable {
    static let rows: [Rule] = files + disks + services + network + privilege + git + clusters + databases + interactive
    /// Changes whenever a rule or the evaluator does; part of every cache key.
    static let version = 7

    private static let deletionAdvice =
        "Delete only what the block made itself (mktemp -d), or a literal build folder; or waive this with a reason"

    static let files: [Rule] = [
        Rule(
            "rm-recursive", .destructiveFS, "rm|rimraf|trash",
            when: .all([.option("-r -R --recursive"), .operand(.undisposable)]),
            "deletes a folder that the block did not make", advice: deletionAdvice),
        Rule(
            "rimraf", .destructiveFS, "rimraf|del-cli", when: .operand(.undisposable),
            "deletes a folder that the block did not make", advice: deletionAdvice),
        Rule(
            "rm-system", .destructiveFS, "rm|unlink|rmdir", when: .operand(.system), "deletes a file of the system",
            advice: deletionAdvice),
        Rule(
            "rm-wildcard", .destructiveFS, "rm", when: .operand(.all([.wildcard, .undisposable])),
            "deletes whatever a wildcard matches", advice: deletionAdvice),
        Rule(
            "rm-handed", .destructiveFS, "rm|unlink|rmdir|shred|trash",
            when: .all([.any([.handedOn, .operand(.tainted(.item))]), .operand(.undisposable)]),
            "deletes every file that it is handed", advice: deletionAdvice),
        Rule(
            "shred", .destructiveFS, "shred", when: .operand(.all([.undisposable, .not(.device)])),
            "overwrites a file beyond recovery", advice: deletionAdvice),
        Rule(
            "truncate", .destructiveFS, "truncate",
            when: .all([.optionValue("-s --size", .like("0 0K 0M 0G 0B")), .operand(.undisposable)]), "empties a file",
            advice: "Write to a new file, or waive this with a reason"),
        Rule(
            "rsync-delete", .destructiveFS, "rsync",
            when: .all([
                .option(deletingOptions),
                .any([.lastOperand(.undisposable), .lastOperand(.remote(.anything)), .lastOperand(.like("rsync://*"))]),
            ]), unless: .option("-n --dry-run --list-only"), "deletes whatever the source does not have",
            advice: "Look at it with --dry-run first, or sync into a build folder"),
        Rule(
            "aws-s3-rm", .destructiveFS, "aws s3 rm|rb", unless: .option("--dryrun"), "deletes objects of a bucket",
            advice: "Look at it with --dryrun first, or waive this with a reason"),
        Rule(
            "aws-s3-sync", .destructiveFS, "aws s3 sync", when: .option("--delete"), unless: .option("--dryrun"),
            "deletes whatever the source does not have", advice: "Look at it with --dryrun first"),
        Rule(
            "gsutil-rm", .destructiveFS, "gsutil",
            when: .any([
                .firstOperand(.like("rm rb")), .optionValue("-m", .like("rm")),
                .all([.operand(.like("rsync")), .option("-d")]),
            ]), unless: .option("-n"),
            "deletes objects of a bucket", advice: "List them first, or waive this with a reason"),
        Rule(
            "gcloud-storage-rm", .destructiveFS, "gcloud storage rm", "deletes objects of a bucket",
            advice: "List them first, or waive this with a reason"),
        Rule(
            "s3cmd", .destructiveFS, "s3cmd del|rm|rb", unless: .option("-n --dry-run"), "deletes objects of a bucket",
            advice: "Look at it with --dry-run first, or waive this with a reason"),
        Rule(
            "minio", .destructiveFS, "mc|mcli rm|rb", when: .option("-r --recursive --force"),
            unless: .option("--fake --dry-run"),
            "deletes objects of a bucket", advice: "List them first, or waive this with a reason"),
        Rule(
            "aws-s3-mv", .destructiveFS, "aws s3 mv", when: .option("--recursive"), unless: .option("--dryrun"),
            "deletes whatever it has copied", advice: "Look at it with --dryrun first"),
        Rule(
            "rsync-remove-source", .destructiveFS, "rsync",
            when: .all([.option("--remove-source-files --remove-sent-files"), .firstOperand(.undisposable)]),
            unless: .option("-n --dry-run --list-only"), "deletes whatever it has copied",
            advice: "Look at it with --dry-run first, or copy and keep the source"),
        Rule(
            "tar-remove", .destructiveFS, "tar|bsdtar", when: .option("--remove-files"), "deletes whatever it has packed",
            advice: deletionAdvice),
        Rule(
            "zip-move", .destructiveFS, "zip", when: .all([.option("-m --move"), .operand(.undisposable)]),
            "deletes whatever it has packed", advice: deletionAdvice),
        Rule(
            "subvolume", .destructiveFS, "btrfs subvolume|sub|su delete|del", "deletes a subvolume and what is in it",
            advice: deletionAdvice),
        Rule(
            "backups", .destructiveFS, "restic|borg|rustic|kopia forget|prune|delete", unless: .option("-n --dry-run"),
            "deletes backups", advice: "Look at it with --dry-run first, or waive this with a reason"),
        Rule(
            "userdel", .destructiveFS, "userdel|deluser", when: .option("-r --remove --remove-home --remove-all-files"),
            "deletes a user's files", advice: "Keep them, or waive this with a reason"),
        Rule(
            "podman-reset", .destructiveFS, "docker system reset", "deletes all containers, images and volumes",
            advice: "Name what the block made itself, or waive this with a reason"),
        Rule(
            "rclone", .destructiveFS, "rclone delete|purge|sync|deletefile|rmdirs|cleanup", unless: .option("-n --dry-run"),
            "deletes files of a remote", advice: "Look at it with --dry-run first"),
        Rule(
            "docker-volumes", .destructiveFS, "docker volume rm|remove|prune", "deletes volumes and the data in them",
            advice: "Name a volume that the block made itself, or waive this with a reason"),
        Rule(
            "docker-prune-volumes", .destructiveFS, "docker system prune", when: .option("--volumes"),
            "deletes volumes and the data in them", advice: "Leave --volumes out"),
        Rule(
            "write-last", .sensitivePathWrite, "cp|mv|install|ln|scp",
            when: .any([
                .optionValue("-t --target-directory", .sensitive),
                .all([.operands(2), .lastOperand(.sensitive), .not(.option("-t --target-directory"))]),
            ]),
            "writes to a file of the system or of someone's login", advice: sensitiveAdvice),
        Rule(
            "write-remote", .sensitivePathWrite, "scp|rsync", when: .all([.operands(2), .lastOperand(.remote(.sensitive))]),
            unless: .option("-n --dry-run --list-only " + deletingOptions),
            "writes to a file of another host's system, or of someone's login there", advice: sensitiveAdvice),
        Rule(
            "delete-control", .sensitivePathWrite, "rm|unlink|rmdir|truncate|shred|mv",
            when: .operand(.spoolControl), "removes what the spool is run by",
            advice: "Change the spool's settings by hand, or by the command `flowspool`; no prompt decides about the next one"),
        Rule(
            "steer", .sensitivePathWrite, "flowspool approve|resume|reject|cancel|retry|prune", unless: .option("--help -h"),
            "decides about jobs in a person's place", advice: steerAdvice),
        Rule(
            "nested-run", .sensitivePathWrite, "flowspool exec|pipeline|watch",
            when: .option(
                "--profile --config --warn-mode --warn-gate --max-retries --retry-max --fail-fast-threshold --max-total-failures "
                    + "--skip-mini"), unless: .option("--help -h --dry-run"), "runs prompts by rules of its own",
            advice: "Drop them into the spool, whose policy then holds"),
        Rule(
            "ledger", .sensitivePathWrite, "sqlite3", when: .firstOperand(.spoolControl), unless: .option("-readonly"),
            "opens the spool's ledger", advice: "Ask `flowspool list --json` and `show --json`"),
        Rule(
            "mv-system", .sensitivePathWrite, "mv",
            when: .all([.operands(2), .firstOperand(.sensitive), .not(.lastOperand(.sensitive))]),
            "moves a file of the system, or of someone's login, away", advice: sensitiveAdvice),
        Rule(
            // With --delete the finding is `rsync-delete`, and one is enough.
            "write-rsync", .sensitivePathWrite, "rsync", when: .all([.operands(2), .lastOperand(.sensitive)]),
            unless: .option("-n --dry-run --list-only " + deletingOptions),
            "writes to a file of the system or of someone's login", advice: sensitiveAdvice),
        Rule(
            "write-any", .sensitivePathWrite, "tee|mkdir|touch|sponge|mkfifo|patch|chattr", when: .operand(.sensitive),
            unless: .option("--dry-run"), "writes to a file of the system or of someone's login", advice: sensitiveAdvice),
        Rule(
            "write-install-d", .sensitivePathWrite, "install", when: .all([.option("-d --directory"), .operand(.sensitive)]),
            "writes to a file of the system or of someone's login", advice: sensitiveAdvice),
        Rule(
            "write-in-place", .sensitivePathWrite, "sed", when: .all([.option("-i --in-place"), .operand(.sensitive)]),
            "edits a file of the system or of someone's login", advice: sensitiveAdvice),
        Rule(
            "write-perl", .sensitivePathWrite, "perl", when: .all([.option("-i -pi"), .operand(.sensitive)]),
            "edits a file of the system or of someone's login", advice: sensitiveAdvice),
        Rule(
            "write-output", .sensitivePathWrite, "curl|wget|gpg|gpg2|sort|aria2c|yq|openssl",
            when: .optionValue(
                "-o -O -P --output --output-document --directory-prefix --output-dir -out --dir", .sensitive),
            "writes to a file of the system or of someone's login", advice: sensitiveAdvice),
        Rule(
            "write-unpack", .sensitivePathWrite, "tar|bsdtar",
            when: .all([
                .optionValue("-C --directory", .sensitive), .any([.option("-x --extract --get"), .firstOperand(.like("x*"))]),
            ]), "unpacks into a folder of the system", advice: sensitiveAdvice),
        Rule(
            "write-unzip", .sensitivePathWrite, "unzip", when: .optionValue("-d", .sensitive),
            unless: .option("-l -t -p -Z"), "unpacks into a folder of the system", advice: sensitiveAdvice),
        Rule(
            "write-dd", .sensitivePathWrite, "dd", when: .operand(.keyed("of", .sensitive)),
            "writes to a file of the system or of someone's login", advice: sensitiveAdvice),
        Rule(
            "crontab", .sensitivePathWrite, "crontab", when: .any([.operands(1), .option("-r"), .not(.terminalInput)]),
            unless: .option("-l -e"), "replaces or deletes a crontab",
            advice: "Put a file under version control and let the machine's own set-up install it"),
    ]

    private static let deletingOptions =
        "--delete --delete-before --delete-during --delete-after --delete-delay --delete-excluded --del --delete-missing-args"

    private static let steerAdvice =
        "Leave it to whoever looks after the spool: what waits for a yes, or was halted, waits for a person"

    static let sensitiveAdvice = "Write inside the repository, or waive this with a reason if the change is meant"

    static let disks: [Rule] = [
        Rule(
            "mkfs", .destructiveDisk, "mkfs|mkswap", when: .operand(.not(.plainFile)),
            unless: .any([.option("--help -V"), .all([.option("-n"), .optionValue("-t --type", .like("ext2 ext3 ext4"))])]),
            "makes a file system, which erases what was there", advice: diskAdvice),
        Rule(
            "mkfs-ext", .destructiveDisk, "mkfs.ext", when: .operand(.not(.plainFile)), unless: .option("-n --help -V"),
            "makes a file system, which erases what was there", advice: diskAdvice),
        Rule(
            "mkfs-vfat", .destructiveDisk, "mkfs.vfat|mkfs.xfs|mkfs.ntfs", when: .operand(.not(.plainFile)),
            unless: .option("-N --no-action --help"), "makes a file system, which erases what was there", advice: diskAdvice),
        Rule(
            "dd", .destructiveDisk, "dd", when: .operand(.keyed("of", .device)), "writes to a block device", advice: diskAdvice),
        Rule(
            "copy-to-device", .destructiveDisk, "cp|tee|shred|sponge|ddrescue|bmaptool|pv",
            when: .any([
                .lastOperand(.device), .optionValue("-o", .device),
            ]), "writes to a block device", advice: diskAdvice),
        Rule(
            "download-to-device", .destructiveDisk, "curl|wget|aria2c",
            when: .optionValue("-o -O --output --output-document --out", .device), "writes to a block device", advice: diskAdvice),
        Rule(
            "qemu-img", .destructiveDisk, "qemu-img convert|dd",
            when: .any([.lastOperand(.device), .operand(.keyed("of", .device))]), "writes to a block device", advice: diskAdvice),
        Rule(
            "wipefs", .destructiveDisk, "wipefs", when: .option("-a --all -o --offset"), unless: .option("-n --no-act"),
            "erases file-system signatures", advice: diskAdvice),
        Rule(
            "blkdiscard", .destructiveDisk, "blkdiscard", when: .operands(1), "erases a block device", advice: diskAdvice),
        Rule(
            "badblocks", .destructiveDisk, "badblocks", when: .option("-w"), "erases a block device", advice: diskAdvice),
        Rule(
            "nvme", .destructiveDisk, "nvme format|sanitize|write-zeroes|delete-ns", "erases a block device",
            advice: diskAdvice),
        Rule(
            "hdparm", .destructiveDisk, "hdparm",
            when: .option("--security-erase --security-erase-enhanced --trim-sector-ranges --write-sector"),
            "erases a block device", advice: diskAdvice),
        Rule(
            "fdisk", .destructiveDisk, "fdisk|cfdisk", when: .operand(.anything), unless: .option("-l --list -s -x --help -V"),
            "changes a partition table", advice: diskAdvice),
        Rule(
            "sfdisk", .destructiveDisk, "sfdisk", when: .any([.operand(.anything), .option("--delete")]),
            unless: .option(
                "-n --no-act -d --dump -l --list -J --json -F --list-free -s --show-size -V --verify -g --show-geometry"),
            "changes a partition table", advice: diskAdvice),
        Rule(
            "sgdisk", .destructiveDisk, "sgdisk",
            when: .option(
                "-Z --zap-all -z --zap -o --clear -n --new -d --delete -t --typecode -c --change-name -g --mbrtogpt -l -R -G -s -e "
                    + "--load-backup --replicate --randomize-guids --sort --move-second-header --largest-new"),
            unless: .option("-P --pretend"), "changes a partition table", advice: diskAdvice),
        Rule(
            "parted", .destructiveDisk, "parted",
            when: .operand(.like("mklabel mktable mkpart rm resizepart name set toggle disk_set rescue move cp mkfs mkpartfs")),
            "changes a partition table", advice: diskAdvice),
        Rule(
            "parted-plain", .destructiveDisk, "parted", when: .all([.operands(1), .not(.operands(2)), .not(.terminalInput)]),
            unless: .option("-l --list"), "changes a partition table", advice: diskAdvice),
        Rule(
            "cryptsetup", .destructiveDisk, "cryptsetup luksFormat|erase|luksErase|reencrypt|luksRemoveKey|luksKillSlot|format",
            unless: .option("--test-args"), "makes the data of a device unreadable", advice: diskAdvice),
        Rule(
            "lvm", .destructiveDisk,
            "pvcreate|pvremove|vgcreate|vgremove|vgreduce|lvremove|lvreduce|lvresize|pvresize|lvextend|vgextend",
            unless: .option("-t --test --help"), "changes volumes and what is on them", advice: diskAdvice),
        Rule(
            "mdadm", .destructiveDisk, "mdadm", when: .option("--create -C --zero-superblock --fail -f --remove -r --grow -G"),
            "changes a RAID array", advice: diskAdvice),
        Rule(
            "zfs", .destructiveDisk, "zpool|zfs create|destroy|labelclear|rollback|replace|offline|detach|remove",
            unless: .option("-n"), "changes a pool and the data in it", advice: diskAdvice),
        Rule(
            "resize", .destructiveDisk, "resize2fs|tune2fs|xfs_repair|growpart|e2fsck|fsck|btrfstune|ntfsresize|fsck.ext4",
            when: .all([
                .operand(.device),
                .not(.option("-n -N -l --dry-run -d --no-action")),
            ]), "writes to a block device", advice: diskAdvice),
    ]

    private static let diskAdvice = "Work on an image file, or waive this with a reason that names the device"

    static let network: [Rule] = [
        Rule(
            "iptables", .networkFirewall, "iptables",
            when: .option(
                "-A -I -D -R -F -X -P -N -E -Z --append --insert --delete --replace --flush --delete-chain --policy "
                    + "--new-chain --rename-chain --zero"), "changes the firewall", advice: networkAdvice),
        Rule(
            "iptables-restore", .networkFirewall, "iptables-restore", unless: .option("-t --test"),
            "replaces the firewall's rules", advice: networkAdvice),
        Rule(
            "nft", .networkFirewall, "nft",
            when: .any([
                .option("-f --file"),
                .firstOperand(.like("add create delete destroy flush insert replace rename reset add* delete* flush* insert*")),
            ]), unless: .option("-c --check"), "changes the firewall", advice: networkAdvice),
        Rule(
            "ufw", .networkFirewall, "ufw",
            when: .operand(
                .like("enable disable allow deny reject limit delete reset reload default insert prepend route logging")),
            unless: .any([.option("--dry-run"), .firstOperand(.like("status show version"))]), "changes the firewall",
            advice: networkAdvice),
        Rule(
            "firewall-cmd", .networkFirewall, "firewall-cmd|firewall-offline-cmd",
            when: .option(
                "--add-port --add-service --add-rich-rule --add-source --add-interface --add-masquerade --add-forward-port "
                    + "--add-protocol --add-icmp-block --remove-port --remove-service --remove-rich-rule --remove-source "
                    + "--remove-interface --remove-masquerade --remove-forward-port --reload --complete-reload "
                    + "--set-default-zone --set-target --change-interface --panic-on --panic-off --new-zone --delete-zone "
                    + "--direct --runtime-to-permanent --set-log-denied --lockdown-on --lockdown-off"),
            "changes the firewall", advice: networkAdvice),
        Rule(
            "ip", .networkFirewall,
            "ip link|l|route|r|address|addr|a|rule|neigh|neighbour|n|tunnel|maddress|xfrm|netns|ntable|vrf|mroute|token|nexthop",
            when: .firstOperand(.like("add del delete flush set change replace append restore up down")),
            "changes the network's set-up", advice: networkAdvice),
        Rule(
            "ifconfig", .networkFirewall, "ifconfig", when: .operands(2), "changes the network's set-up", advice: networkAdvice),
        Rule(
            "ifupdown", .networkFirewall, "ifup|ifdown|ifreload", "changes the network's set-up", advice: networkAdvice),
        Rule(
            "route", .networkFirewall, "route|arp",
            when: .any([
                .firstOperand(.like("add del delete flush change")), .option("-d -s"),
            ]), "changes the network's set-up", advice: networkAdvice),
        Rule(
            "nmcli", .networkFirewall, "nmcli",
            when: .operand(.like("up down add modify mod delete del off on connect disconnect reload set")),
            "changes the network's set-up", advice: networkAdvice),
        Rule(
            "tc", .networkFirewall, "tc|ipset|ipvsadm|brctl|bridge|ovs-vsctl|wg",
            when: .any([
                .operand(
                    .like(
                        "add del delete replace change flush destroy create addbr delbr addif delif set add-br del-br syncconf "
                            + "setconf restore swap rename")),
                .option("-A -D -E -C -F -X -N"),
            ]), "changes the network's set-up", advice: networkAdvice),
        Rule(
            "netplan", .networkFirewall, "netplan apply|try|set", "changes the network's set-up", advice: networkAdvice),
        Rule(
            "wg-quick", .networkFirewall, "wg-quick up|down", "changes the network's set-up", advice: networkAdvice),
        Rule(
            "rfkill", .networkFirewall, "rfkill block|unblock", "changes the network's set-up", advice: networkAdvice),
        Rule(
            "pfctl", .networkFirewall, "pfctl", when: .option("-f -F -d -e"), unless: .option("-n"), "changes the firewall",
            advice: networkAdvice),
        Rule(
            "cloud-firewall", .networkFirewall, "gcloud compute",
            when: .all([.firstOperand(.like("firewall-rules")), .operand(.like("create delete update"))]),
            "changes the firewall", advice: networkAdvice),
        Rule(
            "aws-firewall", .networkFirewall, "aws ec2",
            when: .firstOperand(
                .like("authorize-security-group-* revoke-security-group-* delete-security-group create-network-acl-entry")),
            unless: .option("--dry-run"), "changes the firewall", advice: networkAdvice),
    ]

    private static let networkAdvice = "List the rules instead (-L, list, status), or waive this with a reason"
}

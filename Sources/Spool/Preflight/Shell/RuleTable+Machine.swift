// Rules about the machine: services and processes, privileges.

extension RuleTable {
    private static let serviceAdvice = "Ask its state instead (status), or waive this with a reason"

    static let services: [Rule] = [
        Rule(
            "systemctl", .serviceDown,
            "systemctl stop|disable|mask|restart|try-restart|reload-or-restart|condrestart|kill|isolate|poweroff|reboot|halt"
                + "|suspend|hibernate|kexec|rescue|emergency|exit|soft-reboot|revert", unless: .option("--dry-run --help"),
            "stops or restarts a service", advice: serviceAdvice),
        Rule(
            "service", .serviceDown, "service",
            when: .operand(.like("stop restart force-reload try-restart condrestart kill zap")), "stops or restarts a service",
            advice: serviceAdvice),
        Rule(
            "supervisor", .serviceDown,
            "supervisorctl|pm2|monit|sv|rabbitmqctl|pg_ctl|pg_ctlcluster|initctl|launchctl|brew|forever|passenger|eb",
            when: .operand(
                .like(
                    "stop restart shutdown delete kill stop_app down force-stop force-restart unload bootout unmonitor reset")),
            unless: .firstOperand(.like("install info list status show uninstall search")), "stops or restarts a service",
            advice: serviceAdvice),
        Rule(
            "sc-control", .serviceDown, "apachectl|apache2ctl|caddy|unicorn|haproxyctl|named|mysqladmin|catalina.sh",
            when: .operand(.like("stop restart graceful-stop shutdown")), "stops or restarts a service", advice: serviceAdvice),
        Rule(
            "nginx-signal", .serviceDown, "nginx", when: .any([.option("-q"), .operand(.like("stop quit"))]),
            unless: .option("-t -T -v -V"), "stops a service", advice: serviceAdvice),
        Rule(
            "stop-init", .serviceDown, "stop|restart|telinit|init", when: .firstOperand(.like("0 1 6 s S single")),
            "takes the machine down", advice: serviceAdvice),
        Rule(
            "shutdown", .serviceDown, "shutdown|reboot|poweroff|halt|kexec",
            unless: .option("-c -k --help -w --wtmp-only --show"),
            "takes the machine down", advice: serviceAdvice),
        Rule(
            "pkill", .serviceDown, "pkill|killall|killall5|xkill|skill|slay", unless: .option("-l --list --version -V --help"),
            "ends every process that a pattern matches", advice: "Keep the process number (pid=$!) and end that one"),
        Rule(
            "kill-looked-up", .serviceDown, "kill",
            when: .any([.operand(.tainted(.lookup)), .operand(.like("-1"))]), unless: .any([.option("-0 -l -L"), signalZero]),
            "ends processes that a pattern found", advice: "Keep the process number (pid=$!) and end that one"),
        Rule(
            // The letters of `-KILL` are options to the grammar.
            "kill-all", .serviceDown, "kill", when: .all([.option("-1"), .not(.operands(1))]), unless: .option("-0 -l"),
            "ends every process that it may", advice: "Keep the process number (pid=$!) and end that one"),
        Rule(
            "fuser", .serviceDown, "fuser", when: .option("-k --kill"), "ends every process that uses a file or port",
            advice: "Keep the process number (pid=$!) and end that one"),
        Rule(
            "docker-down", .serviceDown, "docker compose down|stop|kill|restart|rm|pause", unless: dryRun,
            "stops or removes running containers", advice: serviceAdvice),
        Rule(
            "docker-stop", .serviceDown, "docker stop|kill|restart|pause", when: .operand(.not(.ownContainer)),
            "stops or removes running containers", advice: serviceAdvice),
        Rule(
            "docker-container-stop", .serviceDown, "docker container stop|kill|restart|pause",
            when: .operand(.not(.ownContainer)), "stops or removes running containers", advice: serviceAdvice),
        Rule(
            "docker-rm-force", .serviceDown, "docker rm",
            when: .all([.option("-f --force"), .operand(.not(.ownContainer))]), "stops or removes running containers",
            advice: serviceAdvice),
        Rule(
            "docker-container-rm-force", .serviceDown, "docker container rm",
            when: .all([.option("-f --force"), .operand(.not(.ownContainer))]), "stops or removes running containers",
            advice: serviceAdvice),
        Rule(
            "docker-stack", .serviceDown, "docker stack|service rm|remove|down|rollback", "stops a service",
            advice: serviceAdvice),
        Rule(
            "scale-to-zero", .serviceDown, "kubectl scale", when: .optionValue("--replicas", .like("0")),
            unless: .option("--dry-run"), "stops every pod of a workload", advice: serviceAdvice),
        Rule(
            "rollout-restart", .serviceDown, "kubectl rollout restart|undo", unless: dryRun, "restarts every pod of a workload",
            advice: serviceAdvice),
        Rule(
            "cloud-stop", .serviceDown, "aws", when: .operand(.like("stop-* reboot-*")), unless: .option("--dry-run"),
            "stops machines or services", advice: serviceAdvice),
        Rule(
            "ecs-zero", .serviceDown, "aws ecs update-service", when: .optionValue("--desired-count", .like("0")),
            "stops every task of a service", advice: serviceAdvice),
        Rule(
            "machine-stop", .serviceDown, "gcloud|az|doctl|hcloud",
            when: .operand(.like("stop deallocate power-off poweroff shutdown")),
            unless: .firstOperand(.like("help")), "stops machines or services", advice: serviceAdvice),
        Rule(
            "redis-shutdown", .serviceDown, "redis-cli", when: .firstOperand(.like("shutdown SHUTDOWN Shutdown")),
            "stops a service", advice: serviceAdvice),
        Rule(
            "nomad-stop", .serviceDown, "nomad job|alloc|node stop|drain|restart", "stops a service", advice: serviceAdvice),
    ]

    static let dryRun = RuleCondition.all([.option("--dry-run"), .not(.optionValue("--dry-run", .like("none false")))])

    private static let signalZero = RuleCondition.any([
        .optionValue("-s -n --signal", .like("0")), .all([.option("-0")]),
    ])

    private static let privilegeAdvice =
        "Run the job as a user that may do this without it, or waive this with a reason"

    static let privilege: [Rule] = [
        Rule(
            "sudo", .privilege, "sudo|doas|pkexec|su|sudoedit|runas", unless: .option("--version --help"),
            "runs as another user, usually root", advice: privilegeAdvice),
        Rule(
            "setuid", .privilege, "chmod",
            when: .firstOperand(
                .like(
                    "4??? 5??? 6??? 7??? 04??? 05??? 06??? 07??? +s u+s a+s ug+s ugo+s u=*s* u+*s* +*s a+*s ug+*s *,u+s *,u+s,*")),
            "makes a program run as its owner", advice: privilegeAdvice),
        Rule(
            "install-setuid", .privilege, "install", when: .optionValue("-m --mode", .like("4??? 6??? 04??? 06??? u+s u=*s*")),
            "makes a program run as its owner", advice: privilegeAdvice),
        Rule(
            "chmod-777", .privilege, "chmod",
            when: .all([
                .any([.option("-R --recursive"), .handedOn, .operand(.sensitive)]),
                .firstOperand(
                    .like(
                        "777 0777 00777 1777 2777 a+rwx a=rwx ugo+rwx ugo=rwx +rwx a+rwX a=rwX ugo+rwX a+w +w o+w ugo+w go+w o+rwx go+rwx a+rw ugo+rw o+rw 666 0666"
                    )),
            ]), "lets every user change these files", advice: "Give the one user or group that needs it the right"),
        Rule(
            "system-rights", .privilege, "chown|chgrp|chmod|setfacl",
            when: .all([.option("-R --recursive"), .operand(.system)]), "changes who may use the files of the system",
            advice: "Change those of one folder of your own"),
        Rule(
            "passwords", .privilege, "chpasswd", unless: .option("--help"), "sets passwords", advice: privilegeAdvice),
        Rule(
            "passwd", .privilege, "passwd", when: .option("-d -u --delete --unlock --stdin"), "changes a user's password",
            advice: privilegeAdvice),
        Rule(
            "useradd-root", .privilege, "useradd|usermod", when: .optionValue("-u --uid", .like("0")),
            "makes a user an administrator", advice: privilegeAdvice),
        Rule(
            "setcap", .privilege, "setcap", when: .operands(1), unless: .option("-v"), "gives a program rights of root",
            advice: privilegeAdvice),
        Rule(
            "privileged", .privilege, "docker run|create|exec", when: privilegedOption,
            "runs a container with all rights of the host", advice: "Give it the one capability that it needs (--cap-add)"),
        Rule(
            "privileged-nested", .privilege, "docker compose|container run|create|exec|up", when: privilegedOption,
            "runs a container with all rights of the host", advice: "Give it the one capability that it needs (--cap-add)"),
        Rule(
            "privileged-kubectl", .privilege, "kubectl run|debug",
            when: .any([
                privilegedOption, .optionValue("--overrides", .like("*privileged*true*")),
                .optionValue("--profile", .like("sysadmin")),
            ]),
            "runs a container with all rights of the host", advice: "Give it the one capability that it needs"),
        Rule(
            "group-root", .privilege, "usermod|useradd",
            when: .optionValue("-G -g --groups --gid", .like(rootGroupLists)), "makes a user an administrator",
            advice: privilegeAdvice),
        Rule(
            "group-root-add", .privilege, "gpasswd",
            when: .all([.option("-a --add -M --members"), .lastOperand(.like(rootGroups))]),
            "makes a user an administrator", advice: privilegeAdvice),
        Rule(
            "group-root-adduser", .privilege, "adduser|addgroup", when: .all([.operands(2), .lastOperand(.like(rootGroups))]),
            "makes a user an administrator", advice: privilegeAdvice),
    ]

    private static let rootGroups = "sudo wheel docker root admin lxd disk shadow"
    private static let rootGroupLists: String = {
        let groups = ["sudo", "wheel", "docker", "root", "admin", "lxd", "disk"]
        return groups.flatMap { [$0, "\($0),*", "*,\($0)", "*,\($0),*"] }.joined(separator: " ")
    }()

    private static let privilegedOption = RuleCondition.all([
        .option("--privileged"), .not(.optionValue("--privileged", .like("false"))),
    ])
}

// Rules about what waits for a person: a job has no terminal, so these stand still or fail.

extension RuleTable {
    private static let terminalAdvice = "Give the answer on the command line or from a file; a job has no terminal"
    private static let messageAdvice = "Give the message with -m or -F, or keep the old one with --no-edit"

    static let interactive: [Rule] = [
        Rule(
            "editor", .interactive,
            "vi|vim|view|vimdiff|nano|pico|emacs|emacsclient|joe|jed|micro|hx|helix|kak|mcedit|ne|code-wait|visudo|vipw|vigr"
                + "|crontab-edit|sudoedit|vifm|ranger|nnn|mc|lazygit|tig|k9s|htop|btop|atop|iotop|nethogs|glances|ncdu"
                + "|dialog|whiptail|fzf|gum|cfdisk|alsamixer|nmtui|raspi-config|lynx|w3m|links|mutt|irssi|weechat",
            unless: .any([
                .option("-es -Es -e -E --batch -batch -c --check --version --help -dump -source --filter -f --noninteractive"),
                .option("--headless -b"),
                // MinIO's client has the name of a file manager.
                .firstOperand(
                    .like(
                        "ls cp mv rm mb rb cat head stat find mirror diff du share alias admin version config pipe ping ready tree"
                    )),
            ]), "opens a program that needs a terminal", advice: terminalAdvice),
        Rule(
            "line-editor", .interactive, "ed|ex", when: .terminalInput, unless: .option("-s"),
            "waits for commands at the terminal", advice: terminalAdvice),
        Rule(
            "pager", .interactive, "less|more|most|pg|man|info", when: .terminalOutput,
            unless: .option("--version --help -V -w -k --where --path -F --quit-if-one-screen"),
            "opens a pager", advice: "Print to a file, or use cat or head"),
        Rule(
            "top", .interactive, "top", when: .terminalOutput, unless: .option("-b -h -v -l"),
            "opens a program that needs a terminal", advice: "Use top -b -n1"),
        Rule(
            "crontab-edit", .interactive, "crontab", when: .option("-e"), "opens an editor", advice: terminalAdvice),
        Rule(
            "kubectl-edit", .interactive, "kubectl edit", "opens an editor", advice: "Use kubectl patch or apply"),
        Rule(
            "virsh", .interactive, "virsh edit|console", "opens an editor or a console", advice: terminalAdvice),
        Rule(
            "systemctl-edit", .interactive, "systemctl edit", unless: .any([.option("--stdin"), .not(.terminalInput)]),
            "opens an editor", advice: terminalAdvice),
        Rule(
            "ansible-vault", .interactive, "ansible-vault|sops edit|create", "opens an editor", advice: terminalAdvice),
        Rule(
            "ssh-shell", .interactive, "ssh|autossh", when: .all([.operands(1), .not(.operands(2)), .terminalInput]),
            unless: .option("-N -f -T -O -V -G -Q -W"), "opens a shell on another machine",
            advice: "Give the command to run behind the host's name"),
        Rule(
            "remote-shell", .interactive, "telnet|ftp|mosh|rlogin|sftp|lftp", when: .terminalInput,
            unless: .option("-b -c -f -e"), "opens a session on another machine", advice: terminalAdvice),
        Rule(
            "docker-tty", .interactive, "docker run|exec|create|start", when: terminalOptions,
            "asks for a terminal (-it)", advice: "Leave -t out; a job has no terminal"),
        Rule(
            "docker-tty-nested", .interactive, "docker compose|container run|exec|create|start", when: terminalOptions,
            "asks for a terminal (-it)", advice: "Use -T and give the input from a file"),
        Rule(
            "docker-attach", .interactive, "docker|kubectl attach", when: .terminalInput, unless: .option("--no-stdin"),
            "attaches to a terminal", advice: "Use logs"),
        Rule(
            "kubectl-tty", .interactive, "kubectl exec|run|debug|attach", when: terminalOptions, "asks for a terminal (-it)",
            advice: "Leave -t out; a job has no terminal"),
        Rule(
            "container-shell", .interactive, "lxc|incus|multipass|vagrant|toolbox|distrobox shell|console|ssh|enter",
            when: .all([.terminalInput, .not(.option("-c --command --"))]), unless: .operands(3),
            "opens a shell", advice: terminalAdvice),
        Rule(
            "apt", .interactive, "apt install|remove|purge|upgrade|dist-upgrade|full-upgrade|autoremove|reinstall|build-dep",
            when: .terminalInput,
            unless: .any([
                .option(
                    "-y --yes --assume-yes -s --simulate --dry-run --just-print --no-act --recon --print-uris --assume-no "
                        + "--force-yes --help -qq"),
                .optionTwice("-q"), .optionValue("-o --option", .like("APT::Get::Assume-Yes=*")),
            ]), "asks before it installs", advice: "Add -y"),
        Rule(
            "yum", .interactive, "yum install|remove|erase|upgrade|update|downgrade|groupinstall|autoremove|reinstall",
            when: .terminalInput, unless: .option("-y --assumeyes --assumeno --setopt=assumeyes=1"), "asks before it installs",
            advice: "Add -y"),
        Rule(
            "zypper", .interactive, "zypper install|in|remove|rm|update|up|dist-upgrade|dup", when: .terminalInput,
            unless: .option("-n --non-interactive -y --no-confirm -D --dry-run"), "asks before it installs", advice: "Add -y"),
        Rule(
            "pacman", .interactive, "pacman|yay", when: .all([.option("-S -R -U"), .operands(1), .terminalInput]),
            unless: .option("--noconfirm -p --print -s -i -l -Q --search --info"), "asks before it installs",
            advice: "Add --noconfirm"),
        Rule(
            "git-commit", .interactive, "git commit",
            unless: .any([
                .option(
                    "-m -F -C --message --file --reuse-message --no-edit --dry-run --short --porcelain --long --fixup -z"),
                quietEditor,
            ]), "opens an editor for the message", advice: messageAdvice),
        Rule(
            "git-commit-reedit", .interactive, "git commit",
            when: .option("-c --reedit-message -e --edit -p --patch --interactive"),
            unless: quietEditor, "opens an editor for the message", advice: messageAdvice),
        Rule(
            "git-rebase", .interactive, "git rebase", when: .option("-i --interactive --edit-todo"),
            unless: .any([
                .variable("GIT_SEQUENCE_EDITOR", .like(noEditors)), .optionValue("^-c", .like("sequence.editor=*")),
                .variable("EDITOR", .like(noEditors)), .variable("GIT_EDITOR", .like(noEditors)),
            ]), "opens an editor for the list of commits", advice: "Set GIT_SEQUENCE_EDITOR=: or use --autosquash without -i"),
        Rule(
            "git-patch", .interactive, "git add|checkout|stash|reset|restore|clean|commit",
            when: .any([.option("-p --patch --interactive"), .firstOperand(.like("-p"))]),
            unless: .any([.not(.terminalInput), .firstOperand(.like("show list"))]), "asks about each change",
            advice: terminalAdvice),
        Rule(
            "git-interactive", .interactive, "git add|clean", when: .option("-i"), unless: .not(.terminalInput),
            "asks about each file", advice: terminalAdvice),
        Rule(
            "git-revert", .interactive, "git revert",
            unless: .any([
                .option("--no-edit -n --no-commit --abort --continue --quit --skip"), quietEditor,
            ]), "opens an editor for the message", advice: messageAdvice),
        Rule(
            "git-tag", .interactive, "git tag", when: .option("-a -s -u --annotate --sign"),
            unless: .any([.option("-m -F --message --file"), quietEditor]), "opens an editor for the message",
            advice: messageAdvice),
        Rule(
            "git-tools", .interactive, "git mergetool|difftool|gui|citool|instaweb",
            unless: .option("-y --no-prompt --tool-help"),
            "opens a program that needs a terminal", advice: terminalAdvice),
        Rule(
            "git-config-edit", .interactive, "git config|branch|notes|var",
            when: .any([.option("-e --edit --edit-description"), .firstOperand(.like("edit"))]), unless: quietEditor,
            "opens an editor", advice: terminalAdvice),
        Rule(
            "file-database-client", .interactive, "sqlite3|duckdb|litecli", when: .all([.terminalInput, .not(.operands(2))]),
            unless: .option("-c -cmd -version --version -help --help -init"), "opens a client that waits for statements",
            advice: "Give the statements behind the file's name"),
        Rule(
            "database-client", .interactive, "psql|mysql|clickhouse-client|cqlsh|mongosh|pgcli|mycli|usql",
            when: .terminalInput,
            unless: .any([
                .option(
                    "-c -f -e -l -V -Q --command --file --execute --list --version --help --eval --query --queries-file -cmd"),
                .operand(.like("*.js")),
            ]), "opens a client that waits for statements",
            advice: "Give the statements with -c or from a file"),
        Rule(
            "redis-client", .interactive, "redis-cli", when: .all([.terminalInput, .not(.operands(1))]),
            unless: .option(
                "--eval --scan --bigkeys --memkeys --hotkeys --stat --latency --version --help -v --rdb --pipe --cluster "
                    + "--intrinsic-latency --latency-history --functions-rdb --replica"),
            "opens a client that waits for commands", advice: "Give the command as an argument"),
        Rule(
            "repl-any", .interactive,
            "irb|pry|ghci|iex|erl|scala|sbt|bpython|ipython|ptpython|gdb|lldb|pdb|R|julia|octave|clj|bc|dc|"
                + "jshell|gforth|lein|swipl|ocaml|utop|racket|guile|psysh|tclsh|lua|ed|mysqlsh|bluetoothctl|nslookup",
            when: .all([.terminalInput, .not(.operands(1))]),
            unless: .option(
                "-e --eval -E --execute -c --version --help -V -v -batch --batch -x -ex -noshell -eval -p --expression "
                    + "-f --file -b -h -o"), "opens a prompt that waits for input",
            advice: "Give the code as an argument or from a file"),
        Rule(
            "terraform-asks", .interactive, "terraform apply|destroy",
            when: .all([.terminalInput, .not(.operands(1))]),
            unless: .option("-auto-approve --auto-approve -help --help -input"), "asks before it changes infrastructure",
            advice: "Make a plan file, read it, and apply that"),
        Rule(
            "terraform-console", .interactive, "terraform console", when: .terminalInput,
            "opens a prompt that waits for input", advice: terminalAdvice),
        Rule(
            "password", .interactive, "passwd|chsh|chfn|smbpasswd", when: .terminalInput,
            unless: .option("--stdin -l -u -d -e -S --status --lock --unlock --delete -s -i -n -x"),
            "asks for a password", advice: "Use chpasswd with a file"),
        Rule(
            "login", .interactive, "gh auth login", when: .terminalInput, unless: .option("--with-token"), "asks for a login",
            advice: "Use a token from the environment"),
        Rule(
            "docker-login", .interactive, "docker|helm login", when: .terminalInput,
            unless: .option("--password-stdin -p --password"), "asks for a password",
            advice: "Use --password-stdin with a file"),
        Rule(
            "aws-configure", .interactive, "aws configure",
            when: .all([
                .terminalInput, .not(.firstOperand(.like("set get list list-profiles import export-credentials add-model"))),
            ]),
            "asks for credentials", advice: "Use aws configure set, or the environment"),
        Rule(
            "npm-login", .interactive, "npm|yarn|pnpm login|adduser", when: .terminalInput, "asks for a login",
            advice: "Use a token from the environment"),
        Rule(
            "npm-init", .interactive, "npm|yarn init", when: .all([.terminalInput, .not(.operands(1))]),
            unless: .option("-y --yes -f"),
            "asks for the package's facts", advice: "Add -y"),
        Rule(
            "ssh-keygen", .interactive, "ssh-keygen", when: .terminalInput,
            unless: .option("-N -l -y -R -F -A -e -i -H -r -D -B -L -s -Y -Q -M -T --help"), "asks for a passphrase",
            advice: "Give -N '' and -f FILE"),
        Rule(
            "tmux", .interactive, "tmux|screen",
            when: .any([
                .firstOperand(.like("attach attach-session a at")), .option("-r -x -R"),
                .all([.firstOperand(.like("new new-session")), .not(.option("-d"))]),
                .not(.any([.operands(1), .option("-d -D -m -S -V -ls -X -list")])),
            ]), unless: .any([.option("-d -D -V -X"), .all([.option("-l"), .option("-s -i")])]), "attaches to a terminal",
            advice: "Start it detached (-d)"),
        Rule(
            "su-shell", .interactive, "su|runuser", when: .terminalInput,
            unless: .option("-c --command -u --user --help --version"),
            "opens a shell as another user", advice: "Give the command with -c"),
        Rule(
            "sudo-shell", .interactive, "sudo|doas",
            when: .all([.terminalInput, .option("-i -s --login --shell"), .not(.operands(1))]),
            "opens a shell as another user", advice: "Give the command to run"),
    ]

    private static let noEditors = "true : cat /bin/true /usr/bin/true true* :* sed* *sed* cat* touch* echo* cp* perl* python*"
    private static let quietEditor = RuleCondition.any([
        .variable("GIT_EDITOR", .like(noEditors)), .variable("EDITOR", .like(noEditors)), .variable("VISUAL", .like(noEditors)),
        .optionValue("^-c", .like("core.editor=true core.editor=: core.editor=cat")),
    ])
    private static let terminalOptions = RuleCondition.all([
        .option("-t --tty"), .option("-i --interactive --stdin"), .not(.optionValue("-t --tty", .like("false"))),
        .not(.optionValue("-i --interactive --stdin", .like("false"))),
    ])
}

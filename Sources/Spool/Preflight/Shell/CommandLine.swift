// Reads a command's words as its own manual page does: which options take a value, where options end, which words are verbs.
// A wrong grammar makes a rule see an operand where there is none, so what is not in the table is read as GNU getopt would.

/// One command that may run, its words resolved.
struct ShellCall {
    /// Canonical name (`docker` for podman).
    var name: String
    /// With the canonical name, which may be two words (`docker compose`).
    var words: [ShellValue]
    /// As the block has them.
    var written: [ShellValue]
    var options: [(name: String, value: ShellValue?)] = []
    var operands: [ShellValue] = []
    /// How many operands stand behind `--`.
    var dashed = 0
    var position: ShellPosition

    init(_ words: [ShellValue], written: [ShellValue]? = nil, name: String, position: ShellPosition) {
        self.name = name
        self.words = words
        self.written = written ?? words
        self.position = position
        parse()
    }

    var shown: String { written.map { $0.isEmpty ? "''" : $0.shown }.joined(separator: " ") }

    func has(_ names: Set<String>) -> Bool { options.contains { names.contains($0.name) } }
    func value(of names: Set<String>) -> ShellValue? { options.last { names.contains($0.name) }?.value }
    func values(of names: Set<String>) -> [ShellValue] { options.filter { names.contains($0.name) }.compactMap(\.value) }

    private mutating func parse() {
        var grammar = CommandGrammar.named(name) ?? CommandGrammar()
        var path = name
        var index = 1
        var isOver = false
        var isDashed = false
        func word(_ index: Int) -> String { words[index].text }
        while index < words.count {
            let text = word(index)
            let known = options.count
            defer {
                index += 1
                // `git -c k=v commit` and `git commit -c REV` are two options.
                if name == "git", operands.isEmpty {
                    for at in known..<options.count { options[at].name = "^" + options[at].name }
                }
            }
            if isDashed { dashed += 1 }
            if isOver || text.first != "-" || text == "-" {
                operands.append(words[index])
                if operands.count <= 2, let next = CommandGrammar.named(path + " " + text) {
                    path += " " + text
                    grammar = grammar.merging(next)
                }
                if grammar.operandsMax > 0, operands.count >= grammar.operandsMax { isOver = true }
                continue
            }
            if text == "--" {
                isOver = true
                isDashed = true
                continue
            }
            if text.hasPrefix("--") || grammar.isSingleDash {
                index = long(text, index, grammar)
            } else {
                index = cluster(text, index, grammar)
            }
        }
    }

    /// `--name`, `--name=value`, `--name value`; returns the index of the last word taken.
    private mutating func long(_ text: String, _ index: Int, _ grammar: CommandGrammar) -> Int {
        if let equals = text.firstIndex(of: "=") {
            let count = text.distance(from: text.startIndex, to: equals) + 1
            let value = words[index].dropping(count) ?? ShellValue(String(text.dropFirst(count)))
            options.append((String(text[..<equals]), value))
            return index
        }
        if grammar.valued.contains(text), index + 1 < words.count {
            options.append((text, words[index + 1]))
            return index + 1
        }
        options.append((text, nil))
        return index
    }

    /// `-abc`: each letter is an option, until one takes the rest as its value.
    private mutating func cluster(_ text: String, _ index: Int, _ grammar: CommandGrammar) -> Int {
        var used = 1
        // More letters than there are options are a text that only begins with a dash.
        for letter in text.dropFirst().prefix(64) {
            used += 1
            let option = "-" + String(letter)
            if grammar.valued.contains(option) {
                if used < text.count {
                    options.append((option, words[index].dropping(used) ?? ShellValue(String(text.dropFirst(used)))))
                    return index
                }
                options.append((option, index + 1 < words.count ? words[index + 1] : nil))
                return min(index + 1, words.count - 1)
            }
            if grammar.attached.contains(option) {
                options.append((option, used < text.count ? ShellValue(String(text.dropFirst(used))) : nil))
                return index
            }
            options.append((option, nil))
        }
        return index
    }
}

/// Which options of a command take a value.
struct CommandGrammar: Sendable {
    var valued: Set<String> = []
    /// Short options whose value, if any, is attached: `sed -i.bak`, `mysql -pSECRET`.
    var attached: Set<String> = []
    /// Options are words behind one dash: `terraform -auto-approve`.
    var isSingleDash = false
    /// So many operands end the options: what follows belongs to another command. 0: they end nowhere.
    var operandsMax = 0

    init() {}

    /// - Parameter text: options that take a value; `-x=` for attached values; `single` and `stop`, `stop2`, `stop3` as above.
    init(_ text: String) {
        for word in text.asciiSplit(" ") {
            switch word {
            case "single": isSingleDash = true
            case "stop": operandsMax = 1
            case "stop2": operandsMax = 2
            case "stop3": operandsMax = 3
            case let word where word.hasSuffix("="): attached.insert(String(word.dropLast()))
            default: valued.insert(word)
            }
        }
    }

    func merging(_ other: CommandGrammar) -> CommandGrammar {
        var result = other
        // A verb's own options come first in meaning: `git -c k=v` takes a value, `git clean -c` would not.
        result.valued.formUnion(valued.filter { $0.hasPrefix("--") || other.valued.isEmpty })
        result.isSingleDash = result.isSingleDash || isSingleDash
        return result
    }

    /// Names that are one command to the rules.
    static let canonical: [String: [String]] = [
        "docker-compose": ["docker", "compose"], "podman-compose": ["docker", "compose"], "podman": ["docker"],
        "nerdctl": ["docker"], "tofu": ["terraform"], "opentofu": ["terraform"], "terragrunt": ["terraform"],
        "oc": ["kubectl"], "microk8s.kubectl": ["kubectl"], "helm3": ["helm"],
        "ip6tables": ["iptables"], "iptables-nft": ["iptables"], "iptables-legacy": ["iptables"], "arptables": ["iptables"],
        "ebtables": ["iptables"], "ip6tables-restore": ["iptables-restore"], "iptables-nft-restore": ["iptables-restore"],
        "iptables-legacy-restore": ["iptables-restore"],
        "mariadb": ["mysql"], "mongo": ["mongosh"], "valkey-cli": ["redis-cli"], "keydb-cli": ["redis-cli"],
        "sqlite": ["sqlite3"], "clickhouse": ["clickhouse-client"],
        "apt-get": ["apt"], "aptitude": ["apt"], "dnf": ["yum"], "microdnf": ["yum"],
        "nodejs": ["node"], "gsed": ["sed"], "grm": ["rm"], "gfind": ["find"], "gdd": ["dd"], "gxargs": ["xargs"],
        "gtruncate": ["truncate"], "gshred": ["shred"], "srm": ["shred"], "dash": ["sh"], "ash": ["sh"], "ksh": ["sh"],
        "ksh93": ["sh"], "mksh": ["sh"], "bash": ["sh"], "zsh": ["sh"], "rbash": ["sh"], "fish": ["fish"],
        "nvim": ["vim"], "gawk": ["awk"], "mawk": ["awk"], "nawk": ["awk"], "pip3": ["pip"], "sudoedit": ["sudoedit"],
        "prompt-exec": ["flowspool", "exec"], "prompt-pipeline": ["flowspool", "pipeline"], "gcurl": ["curl"],
        "sgdisk": ["sgdisk"], "cgdisk": ["fdisk"], "gdisk": ["fdisk"],
        "ruby3": ["ruby"], "service": ["service"], "invoke-rc.d": ["service"], "rc-service": ["service"],
        "mke2fs": ["mkfs.ext"], "mkfs.ext2": ["mkfs.ext"],
        "mkfs.ext3": ["mkfs.ext"], "mkfs.ext4": ["mkfs.ext"], "mkdosfs": ["mkfs.vfat"], "mkfs.fat": ["mkfs.vfat"],
        "mkfs.msdos": ["mkfs.vfat"], "mkfs.exfat": ["mkfs.vfat"], "mkntfs": ["mkfs.ntfs"], "mkudffs": ["mkfs"], "newfs": ["mkfs"],
    ]

    /// The options of each command that has a row, as the row has them.
    private static let table: [String: String] = rows.reduce(into: [:]) { table, row in
        for name in row.0.asciiSplit("|") { table[name] = row.1 }
    }
    /// Read rows, as they are asked for.
    private static let known = Memo<CommandGrammar>()

    /// - Parameter name: canonical, with its verbs where these have options of their own: `git`, `git commit`. nil: no row.
    static func named(_ name: String) -> CommandGrammar? {
        guard let text = table[name] else { return nil }
        return known.value(for: name) { CommandGrammar(text) }
    }
}

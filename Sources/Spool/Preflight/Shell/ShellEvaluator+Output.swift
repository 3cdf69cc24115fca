// What a command prints or leaves in files, as far as it matters: text of echo and printf, downloads, paths from mktemp,
// process numbers. Everything else prints something unknown that still carries what it was fed.

extension ShellEvaluator {
    func produce(_ call: ShellCall) -> [ShellValue] {
        let arguments = Array(call.words.dropFirst())
        let input = streams.input.texts
        switch call.name {
        case "echo": return [PrintedText.echo(arguments)]
        case "printf": return [PrintedText.format(arguments.first?.text == "--" ? Array(arguments.dropFirst()) : arguments)]
        case "cat", "tac", "bat", "head", "tail", "sort", "uniq", "nl", "pv", "stdbuf", "zcat", "less", "more", "dos2unix", "cut",
            "fold":
            return printFiles(call)
        case "tee", "sponge":
            let text = input.isEmpty ? [ShellValue.unknown("input")] : input
            for path in call.operands { write(text, to: path, appending: call.has(["-a", "--append"])) }
            return text
        case "mktemp":
            // Each path is its own: what is written to one is not read from another.
            descriptors += 1
            return [.unknown(descriptors == 1 ? "$(mktemp)" : "$(mktemp #\(descriptors))", .scratch)]
        case "pwd": return [environment.folder ?? ShellValue(".")]
        case "basename", "dirname", "realpath", "readlink": return [pathPart(call)]
        case "which": return [call.operands.first ?? ShellValue()]
        case "command": return [call.operands.first ?? ShellValue()]
        case "curl", "wget", "aria2c", "fetch", "http", "https", "xh", "lynx", "w3m": return download(call)
        case "aws" where call.operands.count > 1 && call.operands[0].text == "s3" && call.operands.last?.text == "-",
            "gsutil" where call.operands.first?.text == "cat":
            return [.unknown("$(\(call.name))", .download)]
        case "nc", "ncat", "socat": return [.unknown("$(\(call.name))", .download)]
        case "gh" where call.operands.first?.text == "release" || call.operands.first?.text == "api":
            if let file = call.value(of: ["-O", "--output"]) {
                write([.unknown("download", .download)], to: file, appending: false)
            }
            return [.unknown("$(gh)", call.operands.first?.text == "api" ? .download : [])]
        case "pgrep", "pidof", "ps", "lsof", "ss", "netstat", "fuser", "top": return [.unknown("$(\(call.name))", .lookup)]
        case "jobs": return [.unknown("$(jobs)", .own)]
        case "docker" where ["run", "create"].contains(call.operands.first?.text ?? ""):
            if let name = call.value(of: ["--name"]) { ownContainers.insert(name.text) }
            return [.unknown("$(docker run)", .own)]
        case "base64" where call.has(["-d", "-D", "--decode"]):
            if let text = input.first?.literal, input.count == 1, let decoded = Base64Text.decode(text) {
                return [ShellValue(decoded)]
            }
            return [.unknown("$(base64)", streams.input.taints)]
        case "xxd" where call.has(["-r"]) && call.has(["-p"]):
            if let text = input.first?.literal, let decoded = Base64Text.decodeHexadecimal(text) { return [ShellValue(decoded)] }
            return [.unknown("$(xxd)", streams.input.taints)]
        case "rev":
            return input.isEmpty
                ? [.unknown("$(rev)")] : input.map { $0.literal.map { ShellValue(Self.reversedLines($0)) } ?? $0 }
        case "gunzip", "gzip", "xz", "zstd", "bzip2":
            return printFiles(call)
        default: break
        }
        if Self.silent.contains(call.name) { return [ShellValue()] }
        var taints = streams.input.taints
        for argument in arguments where !argument.taints.isEmpty { taints.formUnion(argument.taints.intersection([.lookup])) }
        // `sed … get.sh | sh`: a filter hands on what its files hold.
        if Self.filters.contains(call.name) {
            for operand in call.operands { for text in content(of: operand) ?? [] { taints.formUnion(text.taints) } }
        }
        return [.unknown("$(\(call.name))", taints.subtracting(call.name == "tar" ? .download : []))]
    }

    private static let filters: Set<String> = [
        "sed", "grep", "awk", "tr", "perl", "envsubst", "iconv", "openssl", "gpg", "base64",
    ]
    private static let silent: Set<String> = ["pushd", "cd", "trap", "logger", "notify-send"]

    private static func reversedLines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0.reversed()) }.joined(separator: "\n")
    }

    /// Files, or the input, one after another.
    private func printFiles(_ call: ShellCall) -> [ShellValue] {
        let input = streams.input.texts.isEmpty ? [ShellValue.unknown("$(\(call.name))")] : streams.input.texts
        let files = call.operands.filter { !$0.text.hasPrefix("+") }
        if files.isEmpty { return input }
        var output = [ShellValue()]
        for file in files {
            let text = file.text == "-" ? input : content(of: file) ?? [.unknown("content of \(file.shown)")]
            add(text, to: &output)
        }
        return output
    }

    private func pathPart(_ call: ShellCall) -> ShellValue {
        guard let value = call.operands.first(where: { !$0.text.hasPrefix("-") }) else { return .unknown("$(\(call.name))") }
        if call.name == "realpath" || call.name == "readlink" { return value }
        guard let text = value.literal else {
            // The folder of a scratch file may be /tmp itself.
            return ShellValue.unknown("$(\(call.name))")
        }
        let parts = text.split(separator: "/")
        guard call.name == "dirname" else {
            let suffix = call.operands.count > 1 ? call.operands[1].text : ""
            let name = parts.last.map(String.init) ?? "/"
            return ShellValue(name.hasSuffix(suffix) && name != suffix ? String(name.dropLast(suffix.count)) : name)
        }
        let head = parts.dropLast().joined(separator: "/")
        return ShellValue(text.hasPrefix("/") ? "/" + head : head.isEmpty ? "." : head)
    }

    /// What a download writes: to standard output, to the file named, or to one named as the address ends.
    private func download(_ call: ShellCall) -> [ShellValue] {
        let body = ShellValue.unknown("$(\(call.name))", .download)
        let addresses = call.operands + call.values(of: ["--url"])
        let folder = call.value(of: ["-P", "--directory-prefix", "--output-dir", "-d", "--dir"])
        func save(_ path: ShellValue) {
            var path = path
            if let folder, call.name != "curl" || call.has(["--output-dir"]) { path = folder + ShellValue("/") + path }
            write([body], to: path, appending: false)
        }
        func named(_ address: ShellValue) -> ShellValue {
            let last = address.shown.split(separator: "/").last.map(String.init) ?? "index.html"
            if address.hasUnknown, case .text(let tail)? = address.pieces.last, let slash = tail.lastIndex(of: "/") {
                return ShellValue(String(tail[tail.index(after: slash)...].prefix { $0 != "?" }))
            }
            return ShellValue(String(last.prefix { $0 != "?" }))
        }
        switch call.name {
        case "curl":
            if call.has(["-I", "--head", "--version", "-V"]) { return [.unknown("$(curl)")] }
            let outputs = call.values(of: ["-o", "--output"])
            if !outputs.isEmpty {
                outputs.filter { $0.text != "-" }.forEach(save)
                return outputs.contains { $0.text == "-" } ? [body] : [ShellValue()]
            }
            if call.has(["-O", "--remote-name", "-J", "--remote-name-all"]) {
                addresses.forEach { save(named($0)) }
                return [ShellValue()]
            }
            return [body]
        case "wget":
            if call.has(["--spider", "--version", "-V"]) { return [ShellValue()] }
            if let output = call.value(of: ["-O", "--output-document"]) {
                if output.text == "-" || output.text == "/dev/stdout" { return [body] }
                save(output)
                return [ShellValue()]
            }
            addresses.forEach { save(named($0)) }
            return [ShellValue()]
        case "aria2c":
            if let output = call.value(of: ["-o", "--out"]) { save(output) } else { addresses.forEach { save(named($0)) } }
            return [ShellValue()]
        case "lynx", "w3m":
            return [call.has(["-dump", "--dump", "-source", "-d"]) ? body : .unknown("$(\(call.name))", .download)]
        default: return [body]
        }
    }
}

/// What echo and printf print.
enum PrintedText {
    static func echo(_ arguments: [ShellValue]) -> ShellValue {
        var arguments = arguments[...]
        var endsLine = true
        var hasEscapes = false
        while let option = arguments.first?.text, option.count > 1, option.hasPrefix("-"),
            option.dropFirst().allSatisfy({ "neE".contains($0) })
        {
            if option.contains("n") { endsLine = false }
            if option.contains("e") { hasEscapes = true }
            arguments = arguments.dropFirst()
        }
        var text = ShellEvaluator.spaced(Array(arguments))
        if hasEscapes { text = escaped(text) }
        return endsLine ? text + ShellValue("\n") : text
    }

    private static func escaped(_ value: ShellValue) -> ShellValue {
        ShellValue(
            value.pieces.map { piece in
                if case .text(let text) = piece { return .text(EscapeSequences.ansi(text)) }
                return piece
            })
    }

    /// printf: the format is used again while arguments are left.
    static func format(_ arguments: [ShellValue]) -> ShellValue {
        guard let format = arguments.first else { return ShellValue() }
        guard let text = format.literal else { return escaped(ShellEvaluator.spaced(arguments)) }
        var result = ShellValue()
        var rest = arguments.dropFirst()
        var rounds = 0
        repeat {
            rounds += 1
            var used = false
            var plain = ""
            var iterator = text.makeIterator()
            while let character = iterator.next() {
                guard character == "%" else {
                    plain.append(character)
                    continue
                }
                var kind = iterator.next()
                while let next = kind, "-+ #0123456789.*".contains(next) { kind = iterator.next() }
                guard let kind else { break }
                if kind == "%" {
                    plain.append("%")
                    continue
                }
                if kind == "(" {
                    while let next = iterator.next(), next != "T" {}
                    continue
                }
                result.append(.text(EscapeSequences.ansi(plain)))
                plain = ""
                used = true
                if let argument = rest.first {
                    result.append(kind == "b" ? escaped(argument) : argument)
                    rest = rest.dropFirst()
                }
            }
            result.append(.text(EscapeSequences.ansi(plain)))
            if !used { break }
        } while !rest.isEmpty && rounds < 64
        return result
    }
}

/// Decodes the two encodings that shell one-liners hide code in.
enum Base64Text {
    static func decode(_ text: String) -> String? {
        var bits: UInt32 = 0
        var count = 0
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
            case UInt8(ascii: "="), 0x0A, 0x0D, 0x20: continue
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    static func decodeHexadecimal(_ text: String) -> String? {
        let digits = text.compactMap(\.hexDigitValue)
        guard digits.count % 2 == 0 else { return nil }
        let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        return String(validating: bytes, as: UTF8.self)
    }
}

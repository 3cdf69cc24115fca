import Testing

@testable import Spool

private let configuration: PolicyConfiguration = {
    var configuration = PolicyConfiguration.builtin
    // A profile that leaves most to others.
    configuration.profiles.append(.init(name: "bare", raw: ["retry_max": 0], values: [.retryMax: "0"]))
    return configuration
}()

private func resolver(
    profile: String? = nil, flags: [ToggleFlag] = [], environment: [String: String] = [:]
) throws -> PolicyResolver {
    try PolicyResolver(configuration: configuration, profileFlag: profile, flags: flags, environment: environment)
}

@Suite struct PolicyResolverTests {
    /// Every layer says something different; taking the strongest away leaves the decision to the next.
    @Test(arguments: Toggle.allCases)
    func precedence_isFlagEnvironmentProfileFrontMatterBuiltin(toggle: Toggle) throws {
        let values: [PolicyLayer: String] =
            switch toggle {
            case .warnMode: [.flag: "ask", .environment: "auto-approve", .profile: "halt", .frontMatter: "halt", .builtin: "ask"]
            case .warnGate: [.flag: "no", .environment: "yes", .profile: "no", .frontMatter: "no", .builtin: "yes"]
            case .retryMax: [.flag: "1", .environment: "0", .profile: "1", .frontMatter: "0", .builtin: "1"]
            case .failFastThreshold, .totalFailuresMax:
                [
                    .flag: "11", .environment: "12", .profile: "13", .frontMatter: "14",
                    .builtin: Policy.builtin.normalized[toggle] ?? "",
                ]
            }
        for first in PolicyLayer.allCases.indices {
            let present = Set(PolicyLayer.allCases[first...])
            func value(_ layer: PolicyLayer) -> String? { present.contains(layer) ? values[layer] : nil }
            var configuration = configuration
            configuration.profiles = [
                .init(name: "production", raw: [:], values: value(.profile).map { [toggle: $0] } ?? [:])
            ]
            let made = try PolicyResolver(
                configuration: configuration,
                flags: value(.flag).map { [ToggleFlag(name: "--x", toggle: toggle, text: $0)] } ?? [],
                environment: value(.environment).map { [toggle.environmentNames.name: $0] } ?? [:])
            let (resolved, findings) = made.resolve(frontMatter: value(.frontMatter).map { [toggle: $0] } ?? [:])
            let deciding = PolicyLayer.allCases[first]
            #expect(findings.isEmpty)
            #expect(resolved.sources[toggle] == deciding)
            #expect(resolved.policy.normalized[toggle] == values[deciding])
            // The other toggles are left alone.
            for other in Toggle.allCases where other != toggle {
                #expect(resolved.sources[other] == .builtin)
                #expect(resolved.policy.normalized[other] == Policy.builtin.normalized[other])
            }
        }
    }

    @Test func shippedProfiles_sayWhatTheContractSays() throws {
        let production = try resolver()
        #expect(production.profileSource == .configuration)
        #expect(production.base.profile == "production")
        #expect(
            production.base.policy
                == Policy(warnMode: .halt, warnGate: true, retryMax: 0, failFastThreshold: 2, totalFailuresMax: 4))
        let poc = try resolver(profile: "poc")
        #expect(
            poc.base.policy
                == Policy(warnMode: .autoApprove, warnGate: false, retryMax: 1, failFastThreshold: 6, totalFailuresMax: 20))
        #expect(poc.base.sources.count == 5 && poc.base.sources.values.allSatisfy { $0 == .profile })
    }

    @Test func frontMatter_decidesOnlyWhatTheProfileLeavesOpen() throws {
        let (resolved, findings) = try resolver(profile: "bare").resolve(frontMatter: [.retryMax: "1", .warnMode: "autoapprove"])
        #expect(findings.isEmpty)
        #expect(resolved.policy.retryMax == 0)
        #expect(resolved.sources[.retryMax] == .profile)
        #expect(resolved.policy.warnMode == .autoApprove)
        #expect(resolved.sources[.warnMode] == .frontMatter)
    }

    @Test func frontMatter_invalidValueIsAFindingAlsoWhereTheProfileDecides() throws {
        let made = try resolver()
        let (resolved, findings) = made.resolve(frontMatter: [.warnMode: "auto", .totalFailuresMax: "\u{1B}[2J"])
        #expect(resolved == made.base)
        #expect(findings.map(\.code) == [.toggleInvalid, .toggleInvalid])
        #expect(findings.allSatisfy { $0.severity == .error })
        #expect(
            findings.map(\.message) == [
                #"front matter: warn_mode: "auto" is not allowed"#,
                #"front matter: pipeline_max_total_failures: "\u001b[2J" is not allowed"#,
            ])
        #expect(findings.map(\.advice) == ["write one of: ask, auto-approve, halt", "write one of: a whole number from 1 up"])
    }

    @Test(arguments: Toggle.allCases)
    func environment_aliasIsRead(toggle: Toggle) throws {
        let text = toggle == .warnMode ? "ask" : "1"
        let (name, alias) = toggle.environmentNames
        for environment in [[name: text], [alias: text], [name: text, alias: text]] {
            let resolved = try resolver(environment: environment).base
            #expect(resolved.policy.normalized[toggle] == toggle.normalize(text))
            #expect(resolved.sources[toggle] == .environment)
        }
    }

    @Test func environment_nameAndAliasThatDisagreeAreAnError() throws {
        let error = #expect(throws: FlowspoolError.self) {
            try resolver(environment: ["PROMPT_FLOW_RETRY_MAX": "0", "PROMPT_EXEC_RETRY_MAX": "1"])
        }
        #expect(error?.code == .invalidInput)
        #expect(
            error?.message
                == "PROMPT_FLOW_RETRY_MAX=0 and its alias PROMPT_EXEC_RETRY_MAX=1 disagree; allowed: one of them, or both alike")
        // Two spellings of one value agree.
        let resolved = try resolver(environment: ["PROMPT_FLOW_WARN_GATE": "true", "PROMPT_EXEC_WARN_GATE": "1"]).base
        #expect(resolved.policy.warnGate)
    }

    @Test func environmentAndFlags_everyInvalidValueIsListed() {
        let error = #expect(throws: FlowspoolError.self) {
            try resolver(
                flags: [ToggleFlag(name: "--max-retries", toggle: .retryMax, text: "3")],
                environment: [
                    "PROMPT_FLOW_WARN_MODE": "", "PROMPT_EXEC_WARN_MODE": "nope", "PIPELINE_FAIL_FAST_THRESHOLD": "0",
                ])
        }
        #expect(error?.code == .invalidInput)
        #expect(
            error?.message.split(separator: "\n").map(String.init) == [
                #"PROMPT_FLOW_WARN_MODE: "" is not allowed; allowed: ask, auto-approve, halt"#,
                #"PROMPT_EXEC_WARN_MODE: "nope" is not allowed; allowed: ask, auto-approve, halt"#,
                #"PIPELINE_FAIL_FAST_THRESHOLD: "0" is not allowed; allowed: a whole number from 1 up"#,
                #"--max-retries: "3" is not allowed; allowed: 0, 1"#,
            ])
    }

    @Test func profile_flagOutranksEnvironmentOutranksConfiguration() throws {
        let environment = ["PROMPT_FLOW_PROFILE": "poc"]
        #expect(try resolver().profile.name == "production")
        #expect(try resolver(environment: environment).profile.name == "poc")
        #expect(try resolver(environment: environment).profileSource == .environment)
        #expect(try resolver(profile: "bare", environment: environment).profile.name == "bare")
        #expect(try resolver(profile: "bare", environment: environment).profileSource == .flag)
    }

    @Test func profile_unknownNameListsTheNames() {
        for (flag, environment, place) in [
            ("nope", [:], "--profile"), (nil, ["PROMPT_FLOW_PROFILE": "nope"], "PROMPT_FLOW_PROFILE"),
        ] as [(String?, [String: String], String)] {
            let error = #expect(throws: FlowspoolError.self) { try resolver(profile: flag, environment: environment) }
            #expect(error?.code == .invalidInput)
            #expect(error?.message == "\(place): unknown profile \"nope\"; allowed: poc, production, bare")
        }
    }

    @Test func waivers_countUnlessProductionForbidsThem() throws {
        #expect(try resolver(profile: "poc").allowsWaivers)
        #expect(try !resolver(profile: "production").allowsWaivers)
        var lenient = configuration
        lenient.allowsWaivers = true
        #expect(try PolicyResolver(configuration: lenient, environment: [:]).allowsWaivers)
    }
}

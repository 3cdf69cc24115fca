// Event streams after each tool's documented format, one for each outcome; played by a stand-in program through the real runner.

enum AgentStreams {
    static let codexSuccess = """
        {"type":"thread.started","thread_id":"0199a213-81c0-7800-8aa1-bbab2a035a53"}
        {"type":"turn.started"}
        {"type":"item.started","item":{"id":"item_1","type":"command_execution","command":"bash -lc ls","status":"in_progress"}}
        {"type":"item.completed","item":{"id":"item_1","type":"command_execution","command":"bash -lc ls","exit_code":0,"status":"completed"}}
        {"type":"item.completed","item":{"id":"item_3","type":"agent_message","text":"Done: rate limit reached is only a title."}}
        {"type":"turn.completed","usage":{"input_tokens":24763,"cached_input_tokens":24448,"output_tokens":122}}

        """
    static func codexFailure(_ message: String) -> String {
        """
        {"type":"thread.started","thread_id":"t1"}
        {"type":"turn.started"}
        {"type":"error","message":"Reconnecting... 1/5"}
        {"type":"turn.failed","error":{"message":"\(message)"}}

        """
    }
    static let codexCutOff = """
        {"type":"thread.started","thread_id":"t1"}
        {"type":"turn.started"}
        {"type":"item.completed","item":{"id":"item_3","type":"agent_message","text":"working"}}

        """

    static func claude(subtype: String = "success", isError: Bool = false, result: String = "All done.", more: String = "")
        -> String
    {
        """
        {"type":"system","subtype":"init","session_id":"s-1","model":"claude-sonnet-4-5","tools":["Read","Edit"]}
        {"type":"assistant","message":{"id":"m1","content":[{"type":"text","text":"You have hit your usage limit, says the file."}],\
        "usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":3}},"session_id":"s-1"}
        {"type":"assistant","message":{"id":"m1","content":[{"type":"tool_use"}],"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":7}}}
        \(more)
        {"type":"result","subtype":"\(subtype)","is_error":\(isError),"result":"\(result)","num_turns":2,"total_cost_usd":0.0123,\
        "usage":{"input_tokens":20,"cache_creation_input_tokens":4,"cache_read_input_tokens":6,"output_tokens":9},\
        "session_id":"s-1","permission_denials":[]}

        """
    }

    static let geminiSuccess = """
        Loaded cached credentials.
        {"session_id":"g-1","response":"Paris.","stats":{"models":{"gemini-2.5-pro":{"api":{"totalRequests":2,"totalErrors":0},
        "tokens":{"prompt":100,"candidates":20,"total":125,"cached":0,"thoughts":5,"tool":0}}}}}
        """
    static let geminiError = #"{"error":{"type":"ApiError","message":"[API Error: Please set an Auth method]","code":41}}"#

    static let opencodeSuccess = """
        {"type":"step_start","timestamp":1,"sessionID":"ses_1","part":{"type":"step-start"}}
        {"type":"text","timestamp":2,"sessionID":"ses_1","part":{"type":"text","text":"16374048392"}}
        {"type":"step_finish","timestamp":3,"sessionID":"ses_1","part":{"type":"step-finish","reason":"stop","cost":0.007,"tokens":{"input":11087,"output":145,"reasoning":5,"cache":{"write":0,"read":10}}}}

        """
    static let opencodeError = """
        {"type":"error","timestamp":1,"sessionID":"ses_1","error":{"name":"ProviderAuthError","data":{"message":"no key"}}}

        """

    static let aiderSuccess = """
        Aider v0.86.1
        Applied edit to hello.py
        Tokens: 2.1k sent, 120 received. Cost: $0.01 message, $0.02 session.
        """
    static let aiderRefused = """
        Aider v0.86.1
        litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided
        The API provider is not able to authenticate you. Check your API key.
        """
}

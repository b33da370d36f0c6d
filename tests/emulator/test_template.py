from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.stack import Stack, StackError
from emulator.template import load

Template = Callable[..., Stack]

APP = "Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: app.handler"


def error_of(template: Template, text: str, parameters: dict[str, str] | None = None) -> str:
    with pytest.raises(StackError) as error:
        template(text, parameters)
    assert "\n" not in str(error.value)
    return str(error.value)


def environment(template: Template, variables: str, head: str = "", parameters: dict[str, str] | None = None) -> object:
    text = f"{head}\nResources:\n  App:\n    {APP}, Environment: {{Variables: {{{variables}}}}}}}\n"
    text += "  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}\n"
    text += "  Key: {Type: AWS::SecretsManager::Secret}\n"
    return dict(template(text, parameters).functions["App"].environment)


def test_a_function_is_read_with_its_defaults(template: Template, tmp_path: Path) -> None:
    function = template(f"Resources:\n  App:\n    {APP}}}").functions["App"]
    assert (function.name, function.deployed_name, function.handler) == ("App", "App", "app.handler")
    assert function.arn == "arn:aws:lambda:ap-northeast-2:000000000000:function:App"
    assert (function.memory_mb, function.timeout, function.reserved_concurrency) == (128, 3.0, None)
    assert function.code == tmp_path


def test_parameters_replace_defaults_everywhere(template: Template) -> None:
    head = "Parameters: {Limit: {Type: Number, Default: 3}, Words: {Type: CommaDelimitedList, Default: 'a, b'}}"
    variables = 'AL: !Ref Limit, AW: !Join ["-", !Ref Words], AS: !Select [1, !Ref Words]'
    assert environment(template, variables, head) == {"AL": "3", "AW": "a-b", "AS": "b"}
    assert environment(template, variables, head, {"Limit": "7", "Words": "x,y"}) == {"AL": "7", "AW": "x-y", "AS": "y"}


def test_parameters_that_are_unknown_missing_or_not_allowed_are_reported(template: Template) -> None:
    text = "Parameters: {{Size: {{Type: String{more}}}}}\nResources:\n  App:\n    " + APP.replace("{", "{{") + "}}"
    assert "Size" in error_of(template, text.format(more=""))
    assert "Sise" in error_of(template, text.format(more=", Default: S"), {"Sise": "M"})
    allowed = error_of(template, text.format(more=", AllowedValues: [S, M]"), {"Size": "XL"})
    assert allowed == "Parameters.Size: 'XL' is not one of S, M"
    pattern = error_of(template, text.format(more=", AllowedPattern: '[A-Z]+'"), {"Size": "m"})
    assert pattern == "Parameters.Size: 'm' does not match [A-Z]+"


@pytest.mark.parametrize(
    ("declared", "value", "message"),
    [
        ("Type: Number", "soon", "'soon' is not a number"),
        ("Type: Number, MinValue: 1", "0", "'0' is under its MinValue, 1"),
        ("Type: Number, MaxValue: 9", "9.5", "'9.5' is over its MaxValue, 9"),
        ("Type: String, MinLength: 2", "x", "'x' is under its MinLength, 2"),
        ("Type: String, MaxLength: 2", "xyz", "'xyz' is over its MaxLength, 2"),
    ],
)
def test_a_parameter_out_of_its_bounds_is_rejected(template: Template, declared: str, value: str, message: str) -> None:
    text = f"Parameters: {{Size: {{{declared}}}}}\nResources:\n  App:\n    {APP}}}"
    assert error_of(template, text, {"Size": value}) == f"Parameters.Size: {message}"


def test_intrinsics_become_plain_values(template: Template) -> None:
    head = "Mappings: {Sizes: {ap-northeast-2: {zone: seoul}}}\n"
    head += "Parameters: {Stage: {Type: String, Default: prod}}\n"
    head += "Conditions: {Live: !Equals [!Ref Stage, prod], Idle: !Not [!Condition Live],"
    head += " Both: !And [!Condition Live, !Not [!Condition Idle]], One: !Or [!Condition Idle, !Condition Both]}"
    variables = {
        "SUB": "!Sub '${Stage}/${AWS::AccountId}/${!Literal}/${Jobs.Arn}'",
        "SUBMAP": "!Sub ['${a}', {a: !Ref Stage}]",
        "IF": "!If [Live, yes-live, no]",
        "NOT": "!If [Idle, idle, busy]",
        "ONE": "!If [One, '1', '0']",
        "MAP": '!FindInMap [Sizes, !Ref "AWS::Region", zone]',
        "SPLIT": "!Select [1, !Split ['/', 'a/b/c']]",
        "QUEUE": "!Ref Jobs",
        "NAME": "!GetAtt Jobs.QueueName",
        "SECRET": "!Ref Key",
        "REMOVED": "!If [Live, !Ref AWS::NoValue, kept]",
        "BOOL": "true",
    }
    assert environment(template, ", ".join(f"{key}: {value}" for key, value in variables.items()), head) == {
        "SUB": "prod/000000000000/${Literal}/arn:aws:sqs:ap-northeast-2:000000000000:jobs",
        "SUBMAP": "prod",
        "IF": "yes-live",
        "NOT": "busy",
        "ONE": "1",
        "MAP": "seoul",
        "SPLIT": "b",
        "QUEUE": "https://sqs.ap-northeast-2.amazonaws.com/000000000000/jobs",
        "NAME": "jobs",
        "SECRET": "arn:aws:secretsmanager:ap-northeast-2:000000000000:secret:Key",
        "BOOL": "true",
    }


def test_a_value_that_only_aws_knows_is_rejected_with_its_path(template: Template) -> None:
    text = f"Resources:\n  App:\n    {APP}, Environment: {{Variables: {{A: !ImportValue other}}}}}}"
    message = error_of(template, text)
    assert "Resources.App.Properties.Environment.Variables.A" in message
    assert "Fn::ImportValue" in message


def test_a_resource_whose_condition_is_false_is_left_out(template: Template) -> None:
    text = "Parameters: {Extra: {Type: String}}\nConditions: {IsExtra: !Equals [!Ref Extra, 'yes']}\nResources:\n"
    text += f"  App:\n    {APP}}}\n  More:\n    Condition: IsExtra\n    {APP}}}\n"
    assert set(template(text, {"Extra": "yes"}).functions) == {"App", "More"}
    assert set(template(text, {"Extra": "no"}).functions) == {"App"}


def test_code_is_found_below_code_uri_or_the_nearest_folder_above_it(template: Template, tmp_path: Path) -> None:
    (tmp_path / "functions/queue").mkdir(parents=True)
    (tmp_path / "functions/queue/enter.py").touch()
    text = "Resources:\n  App:\n    Type: AWS::Serverless::Function\n"
    text += "    Properties: {{Runtime: python3.13, Handler: {}, CodeUri: functions/}}"
    assert template(text.format("functions.queue.enter.handler")).functions["App"].code == tmp_path
    assert template(text.format("queue.enter.handler")).functions["App"].code == tmp_path / "functions"
    message = error_of(template, text.format("functions.queue.leave.handler"))
    assert "App" in message
    assert "functions/queue/leave.py" in message


def test_a_layer_is_its_python_folder(template: Template, tmp_path: Path) -> None:
    (tmp_path / "layer/python").mkdir(parents=True)
    text = "Resources:\n  Common: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer}}\n"
    text += f"  App:\n    {APP}, Layers: [!Ref Common]}}"
    assert template(text).functions["App"].layers == (tmp_path / "layer/python",)


def test_an_alias_leads_to_its_function(template: Template) -> None:
    text = (
        f"Resources:\n  App:\n    {APP}, AutoPublishAlias: live, SnapStart: {{ApplyOn: PublishedVersions}}, Events: {{"
    )
    text += "Web: {Type: Api, Properties: {Path: /, Method: get}}, Tick: {Type: ScheduleV2, Properties: "
    text += "{ScheduleExpression: rate(1 minute), Input: '{}'}}}}"
    stack = template(text)
    function = stack.functions["App"]
    assert (function.snap_start, function.version, function.aliases) == (True, "1", ("live",))
    assert stack.apis[0].routes[0].qualifier == "live"
    assert stack.apis[0].routes[0].function == "App"
    assert (stack.schedules[0].function, stack.schedules[0].input) == ("App", "{}")


def test_schedules_and_kafka_sources_are_read(template: Template) -> None:
    text = f"Resources:\n  App:\n    {APP}, Events: {{"
    text += "Old: {Type: Schedule, Properties: {Schedule: rate(5 minutes), Enabled: false}},"
    text += (
        "Msk: {Type: MSK, Properties: {Stream: 'arn:aws:kafka:x:1:cluster/c/1', StartingPosition: LATEST, Topics: [a],"
    )
    text += " ConsumerGroupId: readers, BatchSize: 5, MaximumBatchingWindowInSeconds: 2}},"
    text += "Own: {Type: SelfManagedKafka, Properties: {KafkaBootstrapServers: ['k:9092'], Topics: [b],"
    text += " SourceAccessConfigurations: [{Type: BASIC_AUTH, URI: secret}]}}}}"
    stack = template(text)
    assert [(one.function, one.expression, one.enabled) for one in stack.schedules] == [
        ("App", "rate(5 minutes)", False)
    ]
    msk, own = stack.kafka_sources
    assert (msk.topic, msk.group, msk.batch_size, msk.window) == ("a", "readers", 5, 2.0)
    assert (msk.starting_position, msk.source_arn) == ("LATEST", "arn:aws:kafka:x:1:cluster/c/1")
    assert (own.topic, own.source_arn, own.batch_size) == ("b", None, 100)
    assert own.group


def test_the_retries_of_asynchronous_invocations_are_read(template: Template) -> None:
    text = f"Resources:\n  App:\n    {APP}, EventInvokeConfig: {{MaximumRetryAttempts: 0}}}}"
    assert template(text).functions["App"].async_retries == 0


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ("Runtime: nodejs22.x", "Resources.App.Properties.Runtime: nodejs22.x"),
        ("Events: {Web: {Type: HttpApi}}", "Resources.App.Properties.Events.Web: events of type HttpApi"),
        (
            "Events: {Rows: {Type: DynamoDB, Properties: {Stream: 'arn:aws:dynamodb:x', StartingPosition: LATEST}}}",
            "Resources.App.Properties.Events.Rows: events of type DynamoDB",
        ),
        (
            "Events: {Jobs: {Type: SQS, Properties: {Queue: 'arn:aws:sqs:x:1:q'}}}",
            "Resources.App.Properties.Events.Jobs: events of type SQS",
        ),
        ("Layers: ['arn:aws:lambda:x:1:layer:theirs:1']", "Resources.App.Properties.Layers"),
        ("CodeUri: s3://bucket/key", "Resources.App.Properties.CodeUri"),
        ("Timeout: 901", "Resources.App.Properties.Timeout: 901 is not a whole number from 1 to 900"),
        ("MemorySize: 64", "Resources.App.Properties.MemorySize: 64 is not a whole number from 128 to 10240"),
        (
            "Environment: {Variables: {AWS_REGION: x}}",
            "Resources.App.Properties.Environment.Variables.AWS_REGION: Lambda",
        ),
        ("Environment: {Variables: {9x: x}}", "Resources.App.Properties.Environment.Variables.9x: a variable's name"),
        ("Environment: {Variables: {LONG: " + "x" * 4093 + "}}", "4097 bytes of variables; Lambda allows 4096"),
        (
            "FileSystemConfigs: [{Arn: a, LocalMountPath: /mnt/a}]",
            "Resources.App.Properties.FileSystemConfigs: not emul",
        ),
        (
            "DeadLetterQueue: {Type: SNS, TargetArn: 'arn:aws:sns:x:1:t'}",
            "Resources.App.Properties.DeadLetterQueue: arn:aws:sns:x:1:t is not emulated",
        ),
        (
            "EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: EventBridge,"
            " Destination: 'arn:aws:events:x:1:e'}}}",
            "Resources.App.Properties.EventInvokeConfig.DestinationConfig.OnFailure.Destination: arn:aws:events",
        ),
        (
            "EventInvokeConfig: {MaximumRetryAttempts: 3}",
            "Resources.App.Properties.EventInvokeConfig.MaximumRetryAttempts",
        ),
        ("FunctionUrlConfig: {AuthType: NONE}", "Resources.AppUrl: AWS::Lambda::Url"),
    ],
)
def test_a_property_that_would_not_work_as_on_aws_is_rejected_by_name(
    template: Template, properties: str, expected: str
) -> None:
    start = APP.replace("Runtime: python3.13, ", "") if properties.startswith("Runtime") else APP
    assert expected in error_of(template, f"Resources:\n  App:\n    {start}, {properties}}}")


@pytest.mark.parametrize(
    "auth",
    [
        "Auth: {DefaultAuthorizer: Pool, Authorizers: {Pool: {UserPoolArn: 'arn:aws:cognito-idp:x:1:userpool/p'}}}",
        "Auth: {DefaultAuthorizer: AWS_IAM}",
        "Auth: {ApiKeyRequired: true}",
    ],
)
def test_an_api_is_never_served_without_the_protection_it_declares(template: Template, auth: str) -> None:
    text = (
        f"Resources:\n  Api: {{Type: AWS::Serverless::Api, Properties: {{StageName: v1, {auth}}}}}\n  App:\n    {APP}, "
    )
    text += "Events: {Web: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /, Method: get}}}}"
    error_of(template, text)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ("CacheClusterEnabled: true", "Resources.Api.Properties.CacheClusterEnabled: not emulated"),
        ("CanarySetting: {PercentTraffic: 5}", "Resources.Api.Properties.CanarySetting: not emulated"),
        (
            "MethodSettings: [{ResourcePath: /*, HttpMethod: '*', CachingEnabled: true}]",
            "Resources.Api.Properties.MethodSettings[0].CachingEnabled: not emulated",
        ),
        (
            "Auth: {ResourcePolicy: {IpRangeBlacklist: [10.0.0.0/8]}}",
            "Resources.Api.Properties.Body.x-amazon-apigateway-policy: not emulated",
        ),
    ],
)
def test_an_unsupported_property_of_an_api_is_rejected_by_name(
    template: Template, properties: str, expected: str
) -> None:
    api = f"Api: {{Type: AWS::Serverless::Api, Properties: {{StageName: v1, {properties}}}}}"
    text = f"Resources:\n  {api}\n  App:\n    {APP}, "
    text += "Events: {Web: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /, Method: get}}}}"
    assert expected in error_of(template, text)


def test_an_unsupported_property_that_is_turned_off_is_accepted(template: Template) -> None:
    api = "{StageName: v1, CacheClusterEnabled: false, TracingEnabled: true, OpenApiVersion: 3.0.1}"
    text = f"Resources:\n  Api: {{Type: AWS::Serverless::Api, Properties: {api}}}\n  App:\n    {APP}, "
    text += "Events: {Web: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /, Method: get}}}}"
    assert template(text).apis[0].routes


def test_circular_dependencies_are_rejected(template: Template) -> None:
    one = APP + ", Environment: {Variables: {OTHER: !Ref Two}}}"
    two = APP + ", Environment: {Variables: {OTHER: !Sub '${One.Arn}'}}}"
    message = error_of(template, f"Resources:\n  One:\n    {one}\n  Two:\n    {two}\n")
    assert "circular dependency: " in message
    assert {"One", "Two"} <= set(message.replace(":", " ").split())
    text = "Conditions: {A: !Not [!Condition B], B: !Not [!Condition A]}\nResources:\n  App:\n    Condition: A\n    "
    assert "depends on itself" in error_of(template, text + APP + "}")


def test_a_missing_handler_is_reported(template: Template) -> None:
    start = "Resources:\n  App:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.13, Handler: "
    assert "App's handler nowhere.handler needs nowhere.py" in error_of(template, start + "nowhere.handler}")
    assert "Resources.App.Properties.Handler: handler is not module.function" in error_of(template, start + "handler}")


def test_destinations_and_the_age_of_events_are_read(template: Template) -> None:
    text = f"Resources:\n  Dead: {{Type: AWS::SQS::Queue}}\n  Other:\n    {APP}}}\n  App:\n    {APP}, "
    text += (
        "DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Dead.Arn}, EventInvokeConfig: {MaximumEventAgeInSeconds: 60,"
    )
    text += " DestinationConfig: {OnSuccess: {Type: Lambda, Destination: !GetAtt Other.Arn},"
    text += " OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}}}\n"
    function = template(text).functions["App"]
    queue = "arn:aws:sqs:ap-northeast-2:000000000000:Dead"
    assert (function.async_age, function.dead_letters, function.on_failure) == (60.0, queue, queue)
    assert function.on_success is not None
    assert function.on_success.endswith(":function:Other")


def test_the_log_format_reaches_the_runtime(template: Template) -> None:
    text = (
        f"Resources:\n  App:\n    {APP}, LoggingConfig: {{LogFormat: JSON, ApplicationLogLevel: WARN, LogGroup: g}}}}"
    )
    assert template(text).functions["App"].variables == {
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "WARN",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
    }


def test_a_schedules_retries_and_dead_letters_are_kept_for_its_trigger(template: Template) -> None:
    text = f"Resources:\n  App:\n    {APP}, Events: {{T: {{Type: ScheduleV2, Properties: {{"
    text += "ScheduleExpression: rate(1 minute), RetryPolicy: {MaximumRetryAttempts: 1},"
    text += " DeadLetterConfig: {Arn: 'arn:aws:sqs:x:1:q'}}}}}"
    assert template(text).schedules[0].properties == {
        "RetryPolicy": {"MaximumRetryAttempts": 1},
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:x:1:q"},
    }


def test_an_invalid_template_is_rejected_with_one_line(template: Template, tmp_path: Path) -> None:
    error_of(template, "Resources: [")
    error_of(template, "Nothing: here")
    error_of(template, "Resources: {App: 7}")
    for broken in ("7", "{Handler: a.b, Events: 7}", "{Handler: a.b, Events: {Web: 7}}"):
        error_of(template, f"Resources: {{App: {{Type: AWS::Serverless::Function, Properties: {broken}}}}}")
    with pytest.raises(StackError, match="No such file"):
        load(tmp_path / "absent.yaml")


def test_a_translated_template_is_cached(stack: Stack, state: Path) -> None:
    remembered = list(state.glob("template-*.json"))
    assert remembered
    again = load(Path(__file__).parent / "template.yaml", cache=state)
    assert again == stack
    assert set(state.glob("template-*.json")) == set(remembered)

"""CloudFormation's intrinsic functions, evaluated: what a template computes becomes plain values."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.stack import StackError

NO_VALUE = object()  # AWS::NoValue: the key or item is removed

# Ref of these types is the ARN; of every other, the name.
_REF_IS_ARN = {
    "AWS::CloudFormation::Stack",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::IAM::ManagedPolicy",
    "AWS::Lambda::Alias",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Version",
    "AWS::MSK::Cluster",
    "AWS::MSK::ServerlessCluster",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
    "AWS::WAFv2::WebACL",
}

_NAME_PROPERTIES = (
    "FunctionName",
    "QueueName",
    "TopicName",
    "BucketName",
    "TableName",
    "RoleName",
    "LayerName",
    "StageName",
    "LogGroupName",
    "ClusterName",
    "Name",
)

_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]*)\}")


class Resolver:
    """Values of one translated template under one set of parameters.

    References to resources that are not emulated become a plausible name, ARN or URL, made of the logical id. Raises
    StackError with the path in the template for what cannot be evaluated.
    """

    def __init__(
        self, document: Mapping[str, Any], parameters: Mapping[str, Any], *, account: str, region: str, stack_name: str
    ) -> None:
        self.account = account
        self.region = region
        self._resources: Mapping[str, Mapping[str, Any]] = document.get("Resources", {})
        self._conditions: Mapping[str, Any] = document.get("Conditions", {})
        self._mappings: Mapping[str, Any] = document.get("Mappings", {})
        self._parameters = parameters
        self._decided: dict[str, bool] = {}
        self._deciding: set[str] = set()
        self._pseudo = {
            "AWS::AccountId": account,
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{stack_name}/emulated",
            "AWS::StackName": stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def value(self, node: Any, where: str) -> Any:
        """`node` with every intrinsic in it replaced; `where` is its path in the template, for error messages."""
        if isinstance(node, Mapping):
            if len(node) == 1:
                ((key, argument),) = node.items()
                if key == "Ref" or (key == "Condition" and isinstance(argument, str)) or key.startswith("Fn::"):
                    return self._call(key, argument, where)
            resolved = ((key, self.value(item, f"{where}.{key}")) for key, item in node.items())
            return {key: item for key, item in resolved if item is not NO_VALUE}
        if isinstance(node, list):
            items = (self.value(item, f"{where}[{index}]") for index, item in enumerate(node))
            return [item for item in items if item is not NO_VALUE]
        return node

    def condition(self, name: str) -> bool:
        """The value of the template's condition `name`."""
        if name not in self._decided:
            if name not in self._conditions:
                raise StackError(f"Conditions.{name}: there is no such condition")
            if name in self._deciding:
                raise StackError(f"Conditions.{name}: depends on itself")
            self._deciding.add(name)
            self._decided[name] = bool(self.value(self._conditions[name], f"Conditions.{name}"))
        return self._decided[name]

    def applies(self, resource: Mapping[str, Any]) -> bool:
        """Whether the resource exists under these parameters."""
        return "Condition" not in resource or self.condition(resource["Condition"])

    def ref(self, name: str, where: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        resource = self._resource(name, where)
        kind = resource["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{self._name(name)}"
        if kind == "AWS::ApiGateway::RestApi":
            return api_id(name)
        return self._arn(name) if kind in _REF_IS_ARN else self._name(name)

    def attribute(self, name: str, attribute: str, where: str) -> Any:
        kind = self._resource(name, where)["Type"]
        if attribute in ("Arn", "TopicArn", "Ref", "AliasArn", "FunctionArn", "LayerVersionArn", "RoleArn"):
            return self._arn(name)
        if attribute == "QueueUrl":
            return self.ref(name, where)
        if attribute == "Version" and kind == "AWS::Lambda::Version":
            return "1"
        if attribute.endswith("Name") and not attribute.endswith("DomainName"):
            return self._name(name)
        return f"{name}.{attribute}"

    def _resource(self, name: str, where: str) -> Mapping[str, Any]:
        if name not in self._resources:
            raise StackError(f"{where}: the template has no {name}")
        return self._resources[name]

    def _name(self, logical_id: str) -> str:
        properties = self._resources[logical_id].get("Properties", {})
        for key in _NAME_PROPERTIES:
            if key in properties:
                name = self.value(properties[key], f"Resources.{logical_id}.Properties.{key}")
                return logical_id if name is NO_VALUE else str(name)
        return logical_id

    def _arn(self, logical_id: str) -> str:
        kind = self._resources[logical_id]["Type"]
        name = self._name(logical_id)
        region, account = self.region, self.account
        if kind in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            where = f"Resources.{logical_id}.Properties.FunctionName"
            function = str(self.value(self._resources[logical_id]["Properties"]["FunctionName"], where))
            function = function.rsplit(":function:", 1)[-1]
            alias = self._resources[logical_id]["Properties"].get("Name")
            qualifier = self.value(alias, f"Resources.{logical_id}.Properties.Name") if alias else "1"
            return f"arn:aws:lambda:{region}:{account}:function:{function}:{qualifier}"
        special = {
            "AWS::Lambda::Function": f"arn:aws:lambda:{region}:{account}:function:{name}",
            # Two layers may have one name: the logical id, which SAM makes from the content, distinguishes them.
            "AWS::Lambda::LayerVersion": f"arn:aws:lambda:{region}:{account}:layer:{logical_id}:1",
            "AWS::IAM::Role": f"arn:aws:iam::{account}:role/{name}",
            "AWS::IAM::ManagedPolicy": f"arn:aws:iam::{account}:policy/{name}",
            "AWS::S3::Bucket": f"arn:aws:s3:::{name}",
            "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{region}:{account}:secret:{name}",
            "AWS::Logs::LogGroup": f"arn:aws:logs:{region}:{account}:log-group:{name}:*",
            "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{region}:{account}:table/{name}",
            "AWS::KMS::Key": f"arn:aws:kms:{region}:{account}:key/{name}",
            "AWS::MSK::Cluster": f"arn:aws:kafka:{region}:{account}:cluster/{name}/emulated",
            "AWS::MSK::ServerlessCluster": f"arn:aws:kafka:{region}:{account}:cluster/{name}/emulated",
            "AWS::CloudFormation::Stack": f"arn:aws:cloudformation:{region}:{account}:stack/{name}/emulated",
        }
        return special.get(kind) or f"arn:aws:{kind.split('::')[1].lower()}:{region}:{account}:{name}"

    def _call(self, function: str, argument: Any, where: str) -> Any:
        where_inside = f"{where}.{function}"
        if function == "Ref":
            return self.ref(str(argument), where)
        if function == "Condition":
            return self.condition(argument)
        if function == "Fn::If":
            name, then, otherwise = self._arguments(argument, 3, where_inside)
            return self.value(then if self.condition(name) else otherwise, where_inside)
        if function == "Fn::GetAtt":
            parts = argument.split(".", 1) if isinstance(argument, str) else argument
            name, *attribute = self._arguments(parts, None, where_inside)
            return self.attribute(name, ".".join(str(self.value(part, where)) for part in attribute), where)
        if function == "Fn::Sub":
            return self._substitute(argument, where_inside)
        resolved = self.value(argument, where_inside)
        if function == "Fn::Join":
            separator, items = self._arguments(resolved, 2, where_inside)
            return str(separator).join(str(item) for item in items)
        if function == "Fn::Select":
            index, items = self._arguments(resolved, 2, where_inside)
            if not 0 <= int(index) < len(items):
                raise StackError(f"{where_inside}: there is no item {index} in a list of {len(items)}")
            return items[int(index)]
        if function == "Fn::Split":
            separator, text = self._arguments(resolved, 2, where_inside)
            return str(text).split(separator)
        if function == "Fn::FindInMap":
            name, first, second = self._arguments(resolved, 3, where_inside)
            try:
                return self._mappings[name][first][second]
            except KeyError as missing:
                raise StackError(f"{where_inside}: {name}.{first}.{second} has no {missing}") from None
        if function == "Fn::Equals":
            left, right = self._arguments(resolved, 2, where_inside)
            return _text(left) == _text(right)
        if function == "Fn::And":
            return all(resolved)
        if function == "Fn::Or":
            return any(resolved)
        if function == "Fn::Not":
            return not resolved[0]
        if function == "Fn::Base64":
            return base64.b64encode(str(resolved).encode()).decode()
        if function == "Fn::GetAZs":
            return [f"{resolved or self.region}{zone}" for zone in "abc"]
        raise StackError(f"{where}: {function} cannot be evaluated without AWS")

    def _substitute(self, argument: Any, where: str) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else self._arguments(argument, 2, where)

        def replaced(match: re.Match[str]) -> str:
            literal, name = match.groups()
            name = name.strip()
            if literal:
                return "${" + name + "}"
            if name in variables:
                return _text(self.value(variables[name], f"{where}.{name}"))
            if "." in name:
                resource, _, attribute = name.partition(".")
                return _text(self.attribute(resource, attribute, where))
            return _text(self.ref(name, where))

        return _SUBSTITUTION.sub(replaced, text)

    @staticmethod
    def _arguments(value: Any, count: int | None, where: str) -> Sequence[Any]:
        if not isinstance(value, list) or (count is not None and len(value) != count):
            raise StackError(f"{where}: takes a list of {count or 'two or more'}")
        return value


def api_id(logical_id: str) -> str:
    """Ten characters, like an API id of API Gateway: the same for the same logical id."""
    return hashlib.sha256(logical_id.encode()).hexdigest()[:10]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

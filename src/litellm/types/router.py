"""What users hand to a Router: deployments, and how often to try again."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict


class RetryPolicy(BaseModel):
    """How often a call that failed in some way is tried again; None: as often as any other."""

    BadRequestErrorRetries: int | None = None
    AuthenticationErrorRetries: int | None = None
    TimeoutErrorRetries: int | None = None
    RateLimitErrorRetries: int | None = None
    ContentPolicyViolationErrorRetries: int | None = None
    InternalServerErrorRetries: int | None = None


class AllowedFailsPolicy(BaseModel):
    """How many failures of some kind in a minute rest a deployment; None: as many as of any other."""

    BadRequestErrorAllowedFails: int | None = None
    AuthenticationErrorAllowedFails: int | None = None
    TimeoutErrorAllowedFails: int | None = None
    RateLimitErrorAllowedFails: int | None = None
    ContentPolicyViolationErrorAllowedFails: int | None = None
    InternalServerErrorAllowedFails: int | None = None


class DeploymentTypedDict(TypedDict, total=False):
    """One entry of a `model_list`."""

    model_name: str
    litellm_params: dict[str, Any]
    model_info: dict[str, Any]


class _Fields(BaseModel):
    """Attributes that are also items, as of a dict; unknown ones are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and hasattr(self, name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)


class GenericLiteLLMParams(_Fields):
    """Parameters of a call or of a deployment, as attributes and as a dict; unknown ones are kept."""

    custom_llm_provider: str | None = None
    api_key: str | None = None
    api_base: str | None = None
    api_version: str | None = None
    organization: str | None = None
    region_name: str | None = None
    timeout: Any = None
    stream_timeout: Any = None
    max_retries: int | None = None
    tpm: int | None = None
    rpm: int | None = None
    vertex_project: str | None = None
    vertex_location: str | None = None
    vertex_credentials: str | dict[str, Any] | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_region_name: str | None = None
    input_cost_per_token: float | None = None
    output_cost_per_token: float | None = None
    input_cost_per_second: float | None = None
    output_cost_per_second: float | None = None
    litellm_credential_name: str | None = None
    litellm_trace_id: str | None = None
    drop_params: bool | None = None
    use_litellm_proxy: bool | None = None
    mock_response: Any = None
    model_info: dict[str, Any] | None = None


class LiteLLM_Params(GenericLiteLLMParams):  # noqa: N801  # the name that users import
    """`litellm_params` of a deployment: where its calls go, its share and its limits."""

    model: Annotated[str, Field(min_length=1)]
    num_retries: Annotated[int, Field(ge=0)] | None = None
    weight: Annotated[float, Field(ge=0)] | None = None
    order: int | None = None
    max_parallel_requests: Annotated[int, Field(ge=0)] | None = None
    max_budget: Annotated[float, Field(ge=0)] | None = None
    budget_duration: str | None = None
    tags: list[str] | None = None


class ModelInfo(_Fields):
    """`model_info` of a deployment."""

    id: str | None = None
    base_model: str | None = None


class Deployment(_Fields):
    """One entry of a `model_list`."""

    model_name: Annotated[str, Field(min_length=1)]
    litellm_params: LiteLLM_Params
    model_info: ModelInfo = Field(default_factory=ModelInfo)


class ModelGroupInfo(_Fields):
    """What the deployments of one `model_name` are together."""

    model_group: str
    providers: list[str]
    mode: str | None = None
    max_input_tokens: float | None = None
    max_output_tokens: float | None = None
    input_cost_per_token: float | None = None
    output_cost_per_token: float | None = None
    tpm: int | None = None
    rpm: int | None = None
    supported_openai_params: list[str] | None = None


class CustomRoutingStrategyBase:
    """Base of a strategy of one's own (`Router.set_custom_routing_strategy`). Each method returns an entry of the
    Router's `model_list`, or None: then the Router chooses. The first is for synchronous calls."""

    def get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, str]] | None = None,
        input: str | list[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return None

    async def async_get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, str]] | None = None,
        input: str | list[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return None

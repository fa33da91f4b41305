"""`model_list` and `credential_list`: the deployments."""

from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from litellm.catalog import params
from litellm.proxy.config.kinds import (
    Address,
    Amount,
    Count,
    Dollars,
    HeaderMap,
    Period,
    Positive,
    Secret,
    Text,
    names_of,
    or_empty,
    text_of_number,
)
from litellm.proxy.config.model_groups import PhaseTimeouts
from litellm.proxy.config.section import Section

Mode = Literal[
    "chat", "embedding", "completion", "image_generation", "audio_transcription", "audio_speech", "rerank", "responses",
    "batch", "realtime", "ocr", "moderation", "image_edit", "video_generation", "search",
]  # fmt: skip

CLIENTSIDE_NAMES: Final = names_of("api_base base_url api_key organization")
"""What a deployment can let a request override."""

_ENDPOINT_PARAMS: Final = names_of(
    """
    add_generation_prompt cache_prompt chat_template chat_template_kwargs continue_final_message do_sample documents
    dynatemp_range early_stopping grammar guided_choice guided_grammar guided_json guided_regex id_slot ignore_eos
    include include_stop_str_in_output input_type instructions json_schema keep_alive length_penalty
    logits_processors lora_request max_new_tokens max_output_tokens min_p min_tokens mirostat mirostat_eta
    mirostat_tau models n_predict n_probs num_ctx num_predict options plugins previous_response_id prompt_logprobs
    provider quality random_seed reasoning reasoning_format reasoning_split repeat_last_n repeat_penalty
    repetition_penalty route safe_prompt samplers size skip_special_tokens stop_token_ids structured_outputs style
    task text tfs_z top_a top_k top_n_sigma transforms truncate_prompt_tokens truncation typical_p usage
    use_beam_search voice
    """
)
"""Parameters of well-known endpoints: sent as they are, and not taken for misspelt names of ours."""


class LitellmParams(PhaseTimeouts):
    """`model_list[].litellm_params`: where a deployment's calls go, and with which defaults.

    Every other name is a parameter of the calls, sent to the endpoint: OpenAI's are defaults that a request may
    override, any other is fixed.
    """

    open: ClassVar[bool] = True
    passed_on: ClassVar[frozenset[str]] = frozenset[str]().union(*params.OPENAI.values()) | _ENDPOINT_PARAMS
    later: ClassVar[frozenset[str]] = params.OURS | names_of(
        """
        default_api_key_rpm_limit default_api_key_tpm_limit extra_query itpm keepalive_seconds otpm
        use_in_pass_through
        """
    )
    priced: ClassVar[bool] = True
    later_prefixes: ClassVar[tuple[str, ...]] = (
        *params.CREDENTIAL_PREFIXES,
        "azure_", "input_cost_per_", "output_cost_per_", "cache_read_input_", "cache_creation_input_",
    )  # fmt: skip
    unguarded: ClassVar[frozenset[str]] = names_of("default_api_key_rpm_limit default_api_key_tpm_limit guardrails")

    model: Text = Field(
        description="`provider/model`; `openai/<name>` for any OpenAI-compatible endpoint. With `*` in the entry's "
        "`model_name`, a `*` here stands for the same text."
    )
    custom_llm_provider: str | None = Field(default=None, description="The provider, for a `model` without its prefix.")
    api_base: Address | None = Field(
        default=None, description="The endpoint's address, version part included; the calls' own paths are appended."
    )
    base_url: Address | None = Field(default=None, description="The same as `api_base`, and wins over it.")
    litellm_credential_name: Text | None = Field(
        default=None, description="A credential of `/credentials`: its values stand for what is not said here."
    )
    api_key: Secret | None = Field(
        default=None,
        description="The key sent to the endpoint. Default: the provider's own variable, such as OPENAI_API_KEY.",
    )
    organization: str | None = Field(default=None, description="OpenAI's organization header.")
    region_name: Text | None = Field(
        default=None,
        description="Where the endpoint is, `eu` or `eu-west-1`: for keys and end users that have an "
        "`allowed_model_region`.",
    )
    timeout: Positive | None = Field(
        default=None,
        description="Seconds for connecting (at most 10), the first byte, each gap and, not streamed, the whole.",
    )
    stream_timeout: Positive | None = Field(default=None, description="The same for streamed calls.")
    max_retries: Count | None = Field(default=None, description="Further attempts after one that failed.")
    num_retries: Count | None = Field(default=None, description="The same as `max_retries`.")
    weight: Amount | None = Field(default=None, description="This deployment's share of its model's calls.")
    rpm: Count | None = Field(
        default=None, description="Requests per minute: no more go there. Without `weight`, also its share."
    )
    tpm: Count | None = Field(
        default=None, description="Tokens per minute: no more go there. Without `weight` and `rpm`, also its share."
    )
    order: int | None = Field(default=None, description="Deployments of a lower order are tried first.")
    max_parallel_requests: Count | None = Field(default=None, description="Calls in flight at once.")
    max_budget: Dollars | None = Field(
        default=None, description="Dollars that it may cost in any `budget_duration`: then it takes no calls."
    )
    budget_duration: Period | None = Field(
        default=None, description="`30s`, `10m`, `24h`, `1d`, `1mo`. Default: `max_budget` is for ever."
    )
    tags: tuple[str, ...] | None = Field(default=None, description="Tags that a request may ask for.")
    extra_headers: HeaderMap | None = Field(default=None, repr=False, description="Further headers for the endpoint.")
    headers: HeaderMap | None = Field(default=None, repr=False, description="The same as `extra_headers`.")
    extra_body: dict[str, Any] | None = Field(
        default=None, repr=False, description="Further parameters for the endpoint, whatever their names."
    )
    drop_params: bool | None = Field(default=None, description="Drop parameters that the provider does not support.")
    additional_drop_params: tuple[str, ...] | None = Field(
        default=None, description="Parameters to drop in any case; also paths such as `tools[*].function.strict`."
    )
    allowed_openai_params: tuple[str, ...] | None = Field(
        default=None, description="Parameters to send although the provider is said not to support them."
    )
    configurable_clientside_auth_params: tuple[str, ...] | None = Field(
        default=None, description="Which of `api_base`, `api_key` and the like a request may override."
    )
    mock_response: str | dict[str, Any] | None = Field(
        default=None,
        repr=False,
        description="Answer this, without calling anybody; `litellm.RateLimitError` raises it.",
    )
    ssl_verify: bool | str | None = Field(
        default=None, description="`false`, or the path of a file of CA certificates."
    )
    input_cost_per_token: Amount | None = Field(default=None, description="Dollars, in the catalog's stead.")
    output_cost_per_token: Amount | None = Field(default=None, description="Dollars a token of the completion.")
    input_cost_per_second: Amount | None = Field(default=None, description="Dollars; tokens cost nothing then.")
    output_cost_per_second: Amount | None = Field(default=None, description="If there is none for input.")
    cache_read_input_token_cost: Amount | None = Field(default=None, description="Dollars, if cached.")
    cache_creation_input_token_cost: Amount | None = Field(default=None, description="Dollars, if put there.")

    _missing: dict[str, str] = PrivateAttr(default_factory=dict[str, str])

    def model_post_init(self, context: Any, /) -> None:
        """The validation context says which parameters named an unset variable: a file cannot."""
        self._missing.update(context or {})

    @model_validator(mode="wrap")
    @classmethod
    def _one_name_each(cls, data: Any, handler: ModelWrapValidatorHandler["LitellmParams"]) -> "LitellmParams":
        """What was written under a second name is found under the first: api_base, extra_headers, max_retries."""
        params = handler(data)
        return params.model_copy(
            update={
                "api_base": params.base_url or params.api_base,
                "extra_headers": {**(params.headers or {}), **(params.extra_headers or {})} or None,
                "max_retries": params.num_retries if params.max_retries is None else params.max_retries,
            }
        )

    @property
    def missing(self) -> dict[str, str]:
        """Parameter -> the environment variable that was to hold it and is not set."""
        return self._missing

    @property
    def api_key_variable(self) -> str | None:
        """The unset variable that was to hold the key: a call without it is a 401 that names this one."""
        return self._missing.get("api_key")

    @cached_property
    def wire(self) -> dict[str, Any]:
        """Default parameters of the calls: what is not a name of ours. To be read, not changed."""
        extra = self.model_extra or {}
        return {k: v for k, v in extra.items() if v is not None and not (self.has_no_effect(k) or self.is_rate(k))}


class ModelInfo(Section):
    """`model_list[].model_info`: what is known of the deployment. Further names are kept and shown by `/model/info`."""

    open: ClassVar[bool] = True
    priced: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = names_of(
        """
        allowed_fails team_id
        team_public_model_name
        """
    )
    unguarded: ClassVar[frozenset[str]] = names_of("team_id")

    id: Annotated[Text, BeforeValidator(text_of_number)] | None = Field(
        default=None, description="The deployment's id. Default: a hash of its model, address, key and parameters."
    )
    mode: Mode | None = Field(default=None, description="What the model does; says how `/health` tries it.")
    health_check_model: Text | None = Field(
        default=None, description="The model that checks ask for, in the place of the deployment's own, or of a `*`."
    )
    health_check_timeout: Positive | None = Field(
        default=None, description="Seconds within which a check wants an answer. Default: 60."
    )
    disable_background_health_check: bool | None = Field(
        default=None, description="`background_health_checks` leave it alone."
    )
    access_groups: tuple[str, ...] | None = Field(
        default=None, description="Names that stand for this model, and others of the group, in a key's `models`."
    )
    base_model: str | None = Field(default=None, description="The model that a deployment's own name stands for.")
    supports_assistant_prefill: bool | None = Field(
        default=None,
        description="It goes on with a last message of the assistant's, as `mid_stream_fallback: continue` asks it to. "
        "Default: what the catalog knows of the model or its host.",
    )
    max_tokens: Count | None = Field(default=None, description="For `/model/info`.")
    max_input_tokens: Count | None = Field(
        default=None, description="For `/model/info`, and for `enable_pre_call_checks`."
    )
    max_output_tokens: Count | None = Field(default=None, description="For `/model/info`.")
    input_cost_per_token: Amount | None = Field(default=None, description="As in `litellm_params`, and wins over it.")
    output_cost_per_token: Amount | None = Field(default=None, description="As in `litellm_params`, and wins over it.")
    input_cost_per_second: Amount | None = Field(default=None, description="As in `litellm_params`, and wins over it.")
    output_cost_per_second: Amount | None = Field(default=None, description="As in `litellm_params`, and wins over it.")
    cache_read_input_token_cost: Amount | None = Field(default=None, description="The same.")
    cache_creation_input_token_cost: Amount | None = Field(default=None, description="The same.")


class ModelEntry(Section):
    """`model_list[]`: one deployment. Entries of the same `model_name` share its calls."""

    model_name: Text = Field(
        description="The name that callers use. Wildcards: `openai/*`, and `*` for every name that no other entry has."
    )
    litellm_params: LitellmParams = Field(description="Where calls go. See below.")
    model_info: Annotated[ModelInfo, BeforeValidator(or_empty)] = Field(
        default_factory=ModelInfo, description="What is known of it. See below."
    )


class CredentialEntry(Section):
    """`credential_list[]`: credentials under a name, for deployments that say `litellm_credential_name`. One of
    `/credentials` with this name takes its place."""

    credential_name: Text = Field(description="Its name.")
    credential_values: dict[str, Any] = Field(
        repr=False, description="Parameters of deployments: `api_key`, `api_base`, `organization`."
    )
    credential_info: dict[str, Any] = Field(default_factory=dict[str, Any], description="For whoever reads the file.")

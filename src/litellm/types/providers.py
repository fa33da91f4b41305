"""`LlmProviders`: the names that may stand before a model's (`groq/...`). A test compares them with the catalog."""

from enum import StrEnum

_NAMES = """
    a2a abliteration ai21 ai21_chat aihubmix aiml amazon_nova anthropic anyscale apertis assemblyai aws_polly azure
    azure_ai azure_text baseten bedrock bedrock_mantle black_forest_labs cerebras charity_engine chatgpt chutes clarifai
    cloudflare codestral cognition cohere cohere_chat cometapi compactifai crusoe custom_openai darkbloom dashscope
    databricks datarobot deepgram deepinfra deepseek demo docker_model_runner elevenlabs empiriolabs empower fal_ai
    featherless_ai fireworks_ai friendliai galadriel gemini gigachat github github_copilot gmi gradient_ai groq helicone
    heroku hosted_vllm huggingface hyperbolic inception infinity jina_ai lambda_ai langflow langgraph lemonade libertai
    litellm_proxy llamafile llamagate lm_studio maritalk meta meta_llama minimax mistral modelscope moonshot morph
    nano-gpt nebius neosantara nlp_cloud novita nscale nvidia_nim nvidia_riva oci ollama ollama_chat openai openai_like
    openrouter ovhcloud parasail perplexity petals pinstripes poe predibase publicai ragflow recraft replicate runwayml
    sagemaker sagemaker_chat sambanova sap sarvam scaleway scx-ai snowflake soniox stability synthetic tencent
    tensormesh text-completion-codestral text-completion-openai together_ai topaz triton v0 veniceai vercel_ai_gateway
    vertex_ai vertex_ai_beta volcengine voyage wandb watsonx watsonx_text xai xiaomi_mimo xinference zai
"""

LlmProviders = StrEnum(
    "LlmProviders",
    {name.upper().replace("-", "_"): name for name in (*_NAMES.split(), "custom")},
    module=__name__,
)

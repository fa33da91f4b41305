"""An old import path; see `_reexport.py`."""

from litellm._reexport import names

__getattr__, __dir__ = names(
    __name__,
    {
        "litellm.unbuilt": """
            avideo_content avideo_generation avideo_list avideo_remix avideo_status video_content video_generation
            video_list video_remix video_status""",
    },
)

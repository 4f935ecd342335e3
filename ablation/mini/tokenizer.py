"""A word-level tokenizer: one token a word, a punctuation mark or a whole number 0..99."""

import re
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Sequence, Split, WhitespaceSplit
from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN, END, USER, ASSISTANT = "<|pad|>", "<|unk|>", "<|end|>", "<|user|>", "<|assistant|>"
SPECIAL = (PAD, UNKNOWN, END, USER, ASSISTANT)
WORD = r"\\boxed\{|[a-z]+|\d+|[^\sa-z\d]"
LONGEST_SEQUENCE = 512
# transformers 5 gives every model of type qwen2 Qwen's own byte-level tokenizer, whatever the folder says, unless the
# folder has an auto_map; an empty one makes AutoTokenizer load the tokenizer that is there. Survives save_pretrained.
NO_REMOTE_CODE = {"AutoTokenizer": [None, None]}

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}" + USER + "{{ message['content'] }}"
    "{% elif message['role'] == 'assistant' %}" + ASSISTANT + "{% generation %}{{ message['content'] + '" + END + "' }}"
    "{% endgeneration %}"
    "{% else %}{{ raise_exception('the roles of this model are user and assistant, not ' + message['role']) }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)


def split_words(text: str) -> list[str]:
    """Split plain text into its tokens; special tokens are not recognised."""
    return re.findall(WORD, text.lower())


def build_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose vocabulary is the special tokens, the numbers 0..99 and every other word of `texts`, sorted."""
    wordlist = {word for text in texts for word in split_words(text) if not word.isdigit()}
    vocabulary = [*SPECIAL, *map(str, range(100)), *sorted(wordlist)]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=UNKNOWN))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Sequence([WhitespaceSplit(), Split(Regex(WORD), "isolated")])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=LONGEST_SEQUENCE,
        clean_up_tokenization_spaces=False,
        auto_map=NO_REMOTE_CODE,
    )

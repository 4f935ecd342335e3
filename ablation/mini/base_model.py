"""The base model: a Qwen2 of under half a million parameters, trained from scratch on `base_text`."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from torch.utils.data import IterableDataset
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Trainer, TrainingArguments

from ablation.mini.base_text import WORKED_DEPTHS, Document, make_document
from ablation.mini.candidates import held_out
from ablation.mini.model_card import CardFacts, model_card
from ablation.mini.pass_rates import PROBLEMS_PER_DEPTH, measure_pass_rates
from ablation.mini.tokenizer import LONGEST_SEQUENCE, build_tokenizer
from ablation.mini.vocabulary import every_wording

TRAINING_SEED = 0
UPDATES = 7000
TOKENS_PER_UPDATE = 2560
DOCUMENTS_PER_SORT = 4000
LEARNING_RATE = 3e-3
DECAY_SHARE = 0.5
LOG_EVERY = 100
NO_LOSS = -100  # the label that the loss passes over

Batch = dict[str, torch.Tensor]


def build_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Return an untrained model with random weights."""
    # 96 hidden units in 3 heads: engines support no smaller heads than 32. One key-value head keeps the cache small.
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=LONGEST_SEQUENCE,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)  # type: ignore[no-untyped-call]


class BatchStream(IterableDataset[Batch]):
    """Endless batches of up to about `TOKENS_PER_UPDATE` tokens; documents of similar length stand together to spare padding."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: str) -> None:
        self.tokenizer, self.seed = tokenizer, seed

    def __iter__(self) -> Iterator[Batch]:
        rng = Random(self.seed)
        while True:
            documents = [make_document(rng, held_out()) for _ in range(DOCUMENTS_PER_SORT)]
            encoded = sorted(
                (_encode(self.tokenizer, document) for document in documents), key=lambda pair: len(pair[0])
            )
            groups = list(_groups(encoded))
            rng.shuffle(groups)
            yield from (_collate(group, self.tokenizer.pad_token_id) for group in groups)


# Token ids, and how many of them are context and hence without loss.
EncodedDocument = tuple[list[int], int]


def _encode(tokenizer: PreTrainedTokenizerFast, document: Document) -> EncodedDocument:
    """Return the document's token ids with the length of its context."""
    context: list[int] = tokenizer(document.context).input_ids
    target: list[int] = tokenizer(document.target).input_ids
    return context + target, len(context)


def _groups(encoded: list[EncodedDocument]) -> Iterator[list[EncodedDocument]]:
    """Cut documents, sorted by length, into batches of at most `TOKENS_PER_UPDATE` tokens, padding included."""
    group: list[EncodedDocument] = []
    for document in encoded:
        if group and (len(group) + 1) * len(document[0]) > TOKENS_PER_UPDATE:
            yield group
            group = []
        group.append(document)
    yield group


def _collate(group: list[EncodedDocument], pad: int) -> Batch:
    """Pad the documents on the right to one width; labels are `NO_LOSS` in context and padding."""
    width = max(len(ids) for ids, _ in group)
    input_ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in group])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in group])
    positions = torch.arange(width)
    with_loss = mask.bool() & (positions >= torch.tensor([[context] for _, context in group]))
    return {"input_ids": input_ids, "attention_mask": mask, "labels": input_ids.masked_fill(~with_loss, NO_LOSS)}


def train_base(folder: Path, work: Path, updates: int = UPDATES) -> None:
    """Train the base model; save model, tokenizer, log and card into `folder`, the trainer's own files into `work`."""
    torch.manual_seed(TRAINING_SEED)
    tokenizer = build_tokenizer(every_wording())
    model = build_model(tokenizer)
    trainer = Trainer(
        model=model,
        args=_arguments(work, updates),
        train_dataset=BatchStream(tokenizer, f"base text {TRAINING_SEED}"),
        data_collator=lambda batches: batches[0],
    )
    trainer.train()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    log = [entry for entry in trainer.state.log_history if "loss" in entry]
    (folder / "training_log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))
    write_card(folder, updates)


def write_card(folder: Path, updates: int = UPDATES) -> None:
    """Measure the saved model and write its card (`README.md`) beside it."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = Qwen2ForCausalLM.from_pretrained(folder)
    facts = CardFacts(model.num_parameters(), updates, TRAINING_SEED, max(WORKED_DEPTHS), PROBLEMS_PER_DEPTH)
    (folder / "README.md").write_text(model_card(facts, measure_pass_rates(model, tokenizer)))


def _arguments(work: Path, updates: int) -> TrainingArguments:
    """Return the settings of the trainer: a warm-up, a constant rate, and a cosine decay at the end."""
    return TrainingArguments(
        output_dir=str(work),
        max_steps=updates,
        per_device_train_batch_size=1,  # one item of the stream is one whole batch
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": round(DECAY_SHARE * updates), "decay_type": "cosine"},
        warmup_steps=100,
        weight_decay=0.05,
        adam_beta2=0.98,
        logging_steps=LOG_EVERY,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        seed=TRAINING_SEED,
        disable_tqdm=True,
    )

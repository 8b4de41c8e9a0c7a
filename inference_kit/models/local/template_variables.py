"""Template variables: what a chat template is given besides the messages, and the date that it may write.

Why: thinking, its effort and the date are arguments of templates, not of models. A template that reads the clock would
make another prompt tomorrow, and nothing would tell.
Promises: the date is that of the settings, whenever the program runs; what a prompt depends on is part of the identity;
a variable that the template does not read is refused by name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from inference_kit.errors import UserError, named

DATE = date(2024, 7, 26)
"""What templates of Llama 3 write where nobody gives them a date."""
CLOCK = "strftime_now"
"""The function by which templates read the clock."""
SETTINGS = {"enable_thinking": "thinking", "thinking": "thinking", "reasoning_effort": "reasoning_effort"}
"""The settings that have a flag of their own, by the names that templates give them."""


@dataclass(frozen=True, slots=True)
class TemplateVariables:
    """Variables of a chat template by name, and its date."""

    values: Mapping[str, Any] = field(default_factory=dict)
    date: date = DATE

    @property
    def arguments(self) -> dict[str, Any]:
        """What `apply_chat_template` is given by keyword."""
        return {**self.values, CLOCK: self.date.strftime}

    def check(self, template: str, model_name: str) -> None:
        """Refuse variables that the template does not read; thinking has two names, of which it may know one.

        Raises:
            UserError: naming the setting.
        """
        read = {SETTINGS.get(name, name) for name in self.values if name in template}
        for name in self.values:
            if SETTINGS.get(name, name) not in read:
                raise UserError(
                    f"the chat template of {model_name} has no variable {name}",
                    where=named(SETTINGS.get(name, "chat_template_kwargs")),
                    fix=f"Leave it out, or give a template that has it ({named('chat_template')}).",
                )

    def identify(self, template: str) -> str:
        """Return what an identity says of them, empty where a prompt depends on none."""
        values = f":{json.dumps(self.values, sort_keys=True, ensure_ascii=False)}" if self.values else ""
        return values + (f":{self.date.isoformat()}" if CLOCK in template else "")


def read_variables(
    thinking: bool | None, reasoning_effort: str | None, template_date: str | None, further: Mapping[str, Any] | None
) -> TemplateVariables:
    """Read the settings; `further` variables stand for themselves and outrank the others.

    Raises:
        UserError: for what is no date.
    """
    values: dict[str, Any] = {} if thinking is None else {"enable_thinking": thinking, "thinking": thinking}
    if reasoning_effort is not None:
        values["reasoning_effort"] = reasoning_effort
    try:
        day = date.fromisoformat(template_date) if template_date else DATE
    except ValueError as error:
        raise UserError(
            f"{template_date!r} is no date", where=named("template_date"), fix=f"It looks like {DATE.isoformat()}."
        ) from error
    return TemplateVariables(values | dict(further or {}), day)

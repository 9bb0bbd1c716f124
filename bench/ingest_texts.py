"""One-page texts of a wanted number of tokens, the same for the same seed: words of the encoder's vocabulary, frequent ones often
(Zipf), in sentences and paragraphs under a heading. Knows nothing of DMS."""
import bisect
import itertools
import random

SENTENCE = (8, 22)      # words
PARAGRAPH = (3, 7)      # sentences
ZIPF = 1.0
COMMON = 12000          # so many words of the vocabulary


class Texts:
    """vocabulary: path of vocab.txt, whose whole words stand in about the order of their frequency."""

    def __init__(self, vocabulary, seed=1):
        lines = vocabulary.read_text(encoding="utf-8").splitlines()
        self.words = [w for w in lines if w.isascii() and w.isalpha() and len(w) > 1][:COMMON]
        self.weights = list(itertools.accumulate(1 / (rank + 10) ** ZIPF for rank in range(len(self.words))))
        self.random = random.Random(seed)

    def word(self):
        """(text, tokens); one in 40 is a number or a name with a number, as in real papers."""
        if self.random.random() < 0.025:
            return self.random.choice((f"{self.random.randrange(2, 3000)}", f"v{self.random.randrange(1, 20)}.{self.random.randrange(30)}")), 2
        at = bisect.bisect_left(self.weights, self.random.random() * self.weights[-1])
        return self.words[min(at, len(self.words) - 1)], 1

    def sentence(self):
        words, tokens = [], 1
        for _ in range(self.random.randint(*SENTENCE)):
            text, n = self.word()
            words.append(text)
            tokens += n
        words[0] = words[0].capitalize()
        return " ".join(words) + ".", tokens

    def page(self, tokens):
        """A text of at least that many tokens, at most a sentence more."""
        title = " ".join(self.word()[0].capitalize() for _ in range(5))
        paragraphs, sentences, count, wanted = [], [], 5, self.random.randint(*PARAGRAPH)
        while count < tokens:
            text, n = self.sentence()
            sentences.append(text)
            count += n
            if len(sentences) >= wanted:
                paragraphs.append(" ".join(sentences))
                sentences, wanted = [], self.random.randint(*PARAGRAPH)
        if sentences:
            paragraphs.append(" ".join(sentences))
        return title + "\n\n" + "\n\n".join(paragraphs) + "\n"

"""PyTorch's basic example: two convolutions, dropout, Adadelta, 14 epochs, images read one by one.

Source: pytorch/examples, mnist/main.py, with its defaults: 32 and 64 filters of 3x3 (`valid`), one max-pooling,
dropout 0.25, dense 128, dropout 0.5; Adadelta at rate 1.0, times 0.7 every epoch; batches of 64, in the order of
the files (on a CPU it does not shuffle); the 10,000 scored after every epoch in batches of 1,000.

Differences: instead of torchvision's data set and transforms, the same arithmetic is applied to each image (scale to
0..1, subtract the mean 0.1307, divide by the standard deviation 0.3081), without the conversion to a PIL image, which
makes this peer faster. It prints one line only. `training` excludes scoring.
"""

from __future__ import annotations

from typing import Any

import torch
from common import Stopwatch, make_parser, print_result, read_mnist
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

MEAN, DEVIATION = 0.1307, 0.3081


class Images(Dataset):  # type: ignore[misc]
    """Normalizes an image on access."""

    def __init__(self, images: Any, labels: Any) -> None:
        self.images, self.labels = torch.tensor(images), torch.tensor(labels, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        scaled = self.images[row].unsqueeze(0).to(torch.float32).div(255)
        return scaled.sub(MEAN).div(DEVIATION), int(self.labels[row])


class Network(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.convolution_1 = nn.Conv2d(1, 32, 3)
        self.convolution_2 = nn.Conv2d(32, 64, 3)
        self.dropout_1 = nn.Dropout(0.25)
        self.dropout_2 = nn.Dropout(0.5)
        self.dense_1 = nn.Linear(64 * 12 * 12, 128)
        self.dense_2 = nn.Linear(128, 10)

    def forward(self, images: Any) -> Any:
        value = functional.relu(self.convolution_1(images))
        value = functional.relu(self.convolution_2(value))
        value = self.dropout_1(functional.max_pool2d(value, 2))
        value = functional.relu(self.dense_1(torch.flatten(value, 1)))
        return functional.log_softmax(self.dense_2(self.dropout_2(value)), dim=1)


def main() -> None:
    options = make_parser(__doc__, epochs=14).parse_args()
    torch.manual_seed(options.seed)
    mnist = read_mnist(options.folder)
    train = DataLoader(Images(mnist.train_images, mnist.train_labels), batch_size=64)
    test = DataLoader(Images(mnist.test_images, mnist.test_labels), batch_size=1000)
    network = Network()
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)

    training = Stopwatch()
    accuracy = 0.0
    for _ in range(options.epochs):
        training.start()
        network.train()
        for images, labels in train:
            optimizer.zero_grad()
            functional.nll_loss(network(images), labels).backward()
            optimizer.step()
        training.stop()
        accuracy = score(network, test)
        schedule.step()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print_result(
        accuracy=accuracy, training=training, parameters=parameters, epochs=options.epochs, torch=torch.__version__
    )


def score(network: Any, test: Any) -> float:
    """Return the accuracy; compute the loss too, as the example does."""
    network.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for images, labels in test:
            outputs = network(images)
            loss += functional.nll_loss(outputs, labels, reduction="sum").item()
            right += int((outputs.argmax(dim=1) == labels).sum())
    return right / len(test.dataset)


if __name__ == "__main__":
    main()
